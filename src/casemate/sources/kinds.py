"""The kinds of objects that casemate runs or reads, and the API version of each."""

from __future__ import annotations

from typing import Final

from casemate.model.inventory import KubeObject
from casemate.model.kube.objects import (
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    RuntimeClass,
    Secret,
    Service,
    ServiceAccount,
)
from casemate.model.kube.workloads import CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet
from casemate.sources.problems import near_miss

KINDS: Final[dict[str, tuple[str, type[KubeObject]]]] = {
    "Pod": ("v1", Pod),
    "ConfigMap": ("v1", ConfigMap),
    "Secret": ("v1", Secret),
    "PersistentVolumeClaim": ("v1", PersistentVolumeClaim),
    "Service": ("v1", Service),
    "ServiceAccount": ("v1", ServiceAccount),
    "Namespace": ("v1", Namespace),
    "Deployment": ("apps/v1", Deployment),
    "ReplicaSet": ("apps/v1", ReplicaSet),
    "StatefulSet": ("apps/v1", StatefulSet),
    "DaemonSet": ("apps/v1", DaemonSet),
    "Job": ("batch/v1", Job),
    "CronJob": ("batch/v1", CronJob),
    "RuntimeClass": ("node.k8s.io/v1", RuntimeClass),
}
"""Kind → its API version and its struct."""

CLUSTER_KINDS: Final = frozenset(("Namespace", "RuntimeClass"))
"""Kinds that have no namespace."""


def list_of(kind: str) -> str | None:
    """The API version of a list kind (`List`, `PodList`), or None when `kind` is no list that can be read."""
    if kind == "List":
        return "v1"
    known = KINDS.get(kind.removesuffix("List")) if kind.endswith("List") else None
    return known[0] if known else None


def unknown_kind(kind: str) -> str:
    """Advice for a kind that is not in `KINDS`."""
    return near_miss(kind, (*KINDS, "List")) or f"take {kind} out of the input; casemate reads {', '.join(KINDS)}"
