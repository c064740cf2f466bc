"""Ask a policy set about an object as it is written in a file, as the API server would.

1. An object without a namespace is in `default`.
2. The namespace's labels are those given, else those of a Namespace object that is known, else none; in any case with
   the one that the API server sets (`kubernetes.io/metadata.name`).
3. Templates of an object before an update belong to those at the same place after it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Final

import msgspec

from casemate.model.policy import Operation, Request, Verdict
from casemate.model.workload import Workload
from casemate.policy.evaluate import PolicySet, combined
from casemate.sources.requests import workloads

NAME_LABEL: Final = "kubernetes.io/metadata.name"
_DEFAULT: Final = "default"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for what. `labels` are the namespace's, None when they are not given."""

    operation: Operation = Operation.CREATE
    user: str = ""
    groups: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    old: dict[str, object] | None = None


def namespace_of(value: Mapping[str, object]) -> str:
    """The namespace of an object."""
    metadata = value.get("metadata")
    found = metadata.get("namespace") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) and found else _DEFAULT


def labels_of(namespace: str, given: Mapping[str, str] | None, known: Mapping[str, dict[str, str]]) -> dict[str, str]:
    """The labels of a namespace (rule 2)."""
    return {**(known.get(namespace, {}) if given is None else given), NAME_LABEL: namespace}


def verdict(
    policies: PolicySet,
    value: dict[str, object],
    asked: Asked,
    known: Mapping[str, dict[str, str]],
    now: datetime.datetime,
) -> Verdict | None:
    """The verdict on an object; None when it embeds no Pod template. `known` are namespaces' labels by name."""
    namespace = namespace_of(value)
    found = workloads(value, namespace)
    if not found:
        return None
    before: dict[str, Workload] = {}
    if asked.old is not None:
        before = {each.path: each for each in workloads(asked.old, namespace)}
    labels = labels_of(namespace, asked.labels, known)
    return combined(policies.evaluate(_request(each, before.get(each.path), labels, asked), now) for each in found)


def _request(workload: Workload, old: Workload | None, labels: dict[str, str], asked: Asked) -> Request:
    return Request(
        workload=workload,
        operation=asked.operation,
        namespace_labels=labels,
        user=asked.user,
        groups=asked.groups,
        old=old,
    )
