"""A Pod as the API server writes it, read from JSON into what policies ask in one step.

1. It says the same of a Pod as `casemate.sources.requests`, or nothing: whatever is not exactly as the API has it is
   for that to read, which says what is wrong.
2. Of its metadata only what that keeps is kept; all other fields there are passed over.
"""

from __future__ import annotations

import msgspec

from casemate.model.kube.meta import ObjectMeta, OwnerReference
from casemate.model.kube.pod import PodSpec
from casemate.model.workload import Source, Workload


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    annotations: dict[str, str] = {}
    generate_name: str | None = None
    labels: dict[str, str] = {}
    name: str | None = None
    namespace: str | None = None
    owner_references: tuple[OwnerReference, ...] = ()
    uid: str | None = None


class WrittenPod(msgspec.Struct, frozen=True, rename="camel"):
    """A Pod, for a decoder of JSON."""

    api_version: str
    kind: str
    spec: PodSpec
    metadata: _Meta = _Meta()


def workload(pod: WrittenPod, namespace: str) -> Workload | None:
    """The workload of a Pod; None when it is none, or has no image. `namespace` is that of the request."""
    spec, meta = pod.spec, pod.metadata
    if pod.kind != "Pod" or pod.api_version != "v1" or not any(each.image for each in spec.containers):
        return None
    own = ObjectMeta(
        annotations=meta.annotations,
        generateName=meta.generate_name,
        labels=meta.labels,
        name=meta.name,
        namespace=meta.namespace,
        ownerReferences=meta.owner_references,
        uid=meta.uid,
    )
    return Workload(
        api_version=pod.api_version,
        kind=pod.kind,
        namespace=namespace,
        name=own.name or own.generateName or "",
        path="spec",
        metadata=own,
        spec=spec,
        source=Source(uid=own.uid or ""),
        object_labels=own.labels,
        object_annotations=own.annotations,
        owners=tuple([f"{each.kind}/{each.name}" for each in own.ownerReferences if each.controller]),
    )
