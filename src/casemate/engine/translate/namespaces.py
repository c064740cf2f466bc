"""Which kernel namespaces a Pod shares with its node, and the ids of its own user namespace.

1. Network and IPC are the Pod's; `hostNetwork` and `hostIPC` make them the node's.
2. PIDs are each container's; `shareProcessNamespace` makes them the Pod's, `hostPID` the node's.
3. `hostUsers: false` gives the Pod a user namespace of 65536 ids, and volumes are mapped to it; else it has the node's.
"""

from __future__ import annotations

from dataclasses import dataclass

from casemate.engine.cri import cri_pb2 as pb
from casemate.model.kube.pod import PodSpec

IDS_PER_POD = 65536


@dataclass(frozen=True)
class IdRange:
    """Ids of the node that stand for 0 to 65535 inside a Pod."""

    first: int
    length: int = IDS_PER_POD

    def mapping(self) -> pb.IDMapping:
        """The range as CRI takes it."""
        return pb.IDMapping(host_id=self.first, container_id=0, length=self.length)


def namespace_options(spec: PodSpec, ids: IdRange | None) -> pb.NamespaceOption:
    """The Pod's namespaces. `ids` is set for a Pod with its own user namespace."""
    return pb.NamespaceOption(
        network=pb.NODE if spec.hostNetwork else pb.POD,
        ipc=pb.NODE if spec.hostIPC else pb.POD,
        pid=pb.NODE if spec.hostPID else pb.POD if spec.shareProcessNamespace else pb.CONTAINER,
        userns_options=_user_namespace(ids),
    )


def _user_namespace(ids: IdRange | None) -> pb.UserNamespace:
    if ids is None:
        return pb.UserNamespace(mode=pb.NODE)
    return pb.UserNamespace(mode=pb.POD, uids=[ids.mapping()], gids=[ids.mapping()])
