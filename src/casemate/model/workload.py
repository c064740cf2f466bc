"""One Pod template with everything that its assessment needs to know of it."""

from __future__ import annotations

from typing import Final

import msgspec

from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a workload was found: a place in a file, or an object of a live cluster (`uid`)."""

    file: str = ""
    line: int = 0
    column: int = 0
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else self.uid


KUBELET: Final = "kubelet"
"""The creator of static Pods that were read where a kubelet reads them."""


class Workload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A Pod template with its identity.

    `kind` and `name` are those of the object that a person writes; `owners` lead from it to the Pod, outermost first,
    as `Kind/name`. `metadata` is the Pod template's, `object_labels` and `object_annotations` are the outer object's.
    `path` is where the Pod specification stands in that object, such as `spec.template.spec`. `unknown_fields` were in
    the input but are no fields of the API: they have no effect, which is a finding of its own.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    path: str
    metadata: ObjectMeta
    spec: PodSpec
    source: Source
    object_labels: dict[str, str] = {}
    object_annotations: dict[str, str] = {}
    owners: tuple[str, ...] = ()
    creator: str = ""
    unknown_fields: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`Kind namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}"
