"""What a cluster's objects declare of this node: the class that each Pod names, the handler that each class means.

1. A sandbox is a Pod's when it bears the Pod's uid; a static Pod's sandbox bears the hash that its mirror notes.
2. A Pod without class means the node's default handler.
3. Of a sandbox that is no Pod's of this node, or whose class the cluster lacks, nothing is declared: it cannot be
   compared, and is not proven.

Sources: kubernetes/pkg/kubelet/types/pod_update.go (kubernetes.io/config.mirror); API reference, RuntimeClass v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from casemate.errors import IncompleteError
from casemate.sources.cluster_access import access
from casemate.sources.cluster_client import Client, UnreadError

_SECONDS: Final = 30.0
_MIRROR: Final = "kubernetes.io/config.mirror"


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""
    uid: str = ""
    annotations: dict[str, str] = {}


class _Spec(msgspec.Struct, frozen=True):
    runtime_class: str | None = msgspec.field(default=None, name="runtimeClassName")


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    handler: str = ""


@dataclass(frozen=True)
class Declared:
    """Class → handler, and a sandbox's uid → its Pod's class, empty where the Pod names none."""

    classes: Mapping[str, str]
    pods: Mapping[str, str]

    def of_pod(self, uid: str, default: str) -> tuple[str, str]:
        """The class that the Pod names and the handler that this means; no handler where nothing is declared."""
        name = self.pods.get(uid)
        if name is None:
            return "", ""
        return name, self.classes.get(name, "") if name else default


def read(kubeconfig: str | None, context: str | None, node: str) -> Declared:
    """What the cluster declares of that node. Raises `IncompleteError` when it does not tell."""
    try:
        with Client(access(kubeconfig, context), _SECONDS) as client:
            client.check()
            classes = _objects(client, "/apis/node.k8s.io/v1/runtimeclasses")
            pods = _objects(client, "/api/v1/pods", f"spec.nodeName={node}")
    except UnreadError as error:
        raise IncompleteError(f"the cluster did not tell: {error.reason}", where="--kubeconfig") from None
    return Declared(
        classes={each.metadata.name: each.handler for each in classes},
        pods={_of_sandbox(each.metadata): each.spec.runtime_class or "" for each in pods},
    )


def _of_sandbox(meta: _Meta) -> str:
    return meta.annotations.get(_MIRROR, meta.uid)


def _objects(client: Client, path: str, selector: str = "") -> list[_Object]:
    try:
        return [msgspec.json.decode(raw, type=_Object) for page in client.pages(path, selector) for raw in page]
    except msgspec.DecodeError as error:
        raise IncompleteError(f"the cluster's answer cannot be read: {error}", where=path) from None
