"""The same thing run under several runtimes: how it fared under each, and where that differs from the first."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from casemate.model.boundary import Boundary


class Ending(StrEnum):
    """How far a trial got."""

    ENDED = "ended"
    READY = "ready"
    REFUSED = "refused"
    NOT_STARTED = "not started"
    TIMED_OUT = "timed out"


class LineDifference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a container's output that differs; None where there is no such line."""

    container: str
    stream: str
    line: int
    reference: str | None
    found: str | None


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One run under one runtime.

    `exit_codes` and `output` are by `workload/container`; output also by stream (`…/stdout`). Times are seconds,
    `memory` is the peak of all Pods in bytes, all of them None where they were not observed. `refused_calls` are
    system calls that the sandbox refused, None where that cannot be observed; `calls_note` says what was looked at.
    """

    runtime: str
    handler: str
    version: str
    boundary: Boundary
    ending: Ending
    reason: str = ""
    exit_codes: dict[str, int] = {}
    output: dict[str, tuple[str, ...]] = {}
    start_seconds: float | None = None
    run_seconds: float | None = None
    memory: int | None = None
    refused_calls: tuple[str, ...] | None = None
    calls_note: str = ""

    @property
    def ran(self) -> bool:
        """Whether its containers ran, so that what they wrote can be compared."""
        return self.ending not in (Ending.REFUSED, Ending.NOT_STARTED)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A trial and what of it is otherwise than in the first one: words such as `exit code`, empty for the same."""

    trial: Trial
    differs: tuple[str, ...] = ()
    lines: tuple[LineDifference, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All trials; the first is the reference. `unsteady` are streams that also differ under it from run to run."""

    items: tuple[Compared, ...]
    unsteady: tuple[str, ...] = ()

    @property
    def differ(self) -> bool:
        """Whether any trial went otherwise than the first."""
        return any(each.differs for each in self.items)
