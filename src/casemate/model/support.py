"""What becomes of each field that a Pod sets: honoured, approximated, refused or ignored."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What becomes of a field.

    `honoured`: as a kubelet on Linux would. `approximated`: with a difference that the note states. `refused`: cannot
    be done here. `ignored`: has no meaning on one machine without a cluster; nothing of the Pod's behaviour is lost.
    """

    HONOURED = "honoured"
    APPROXIMATED = "approximated"
    REFUSED = "refused"
    IGNORED = "ignored"


class FieldNote(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one field of a Pod's specification.

    `path` begins in the specification: `containers[0].securityContext.privileged`. `value` is what was written,
    shortened. `security` marks fields without which the Pod would run, but be kept apart less.
    """

    path: str
    value: str
    verdict: Verdict
    note: str = ""
    security: bool = False


class PodNotes(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts on all fields of one Pod or Pod template. `pod` names it, `where` is its `file:line:column`."""

    pod: str
    handler: str
    notes: tuple[FieldNote, ...]
    where: str = ""


class EngineFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine can do for a handler beyond what every containerd since 1.6 does. Unknown means it cannot."""

    version: str = ""
    user_namespaces: bool = False
    recursive_read_only: bool = False
    supplemental_groups_policy: bool = False
    image_volumes: bool = False
    stop_signal: bool = False
