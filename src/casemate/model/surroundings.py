"""What stands next to workloads and changes what they need and have: classes, nodes, exposure, rights."""

from __future__ import annotations

import msgspec

from casemate.model.boundary import Boundary
from casemate.model.kube.objects import RuntimeClass


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node of the cluster. `handlers` is None when the node does not say (Kubernetes before 1.30).

    `proven` are handlers with the boundary that a proof of this node shows of them.
    """

    name: str
    labels: dict[str, str] = {}
    handlers: tuple[str, ...] | None = None
    user_namespace_handlers: tuple[str, ...] = ()
    container_runtime: str = ""
    kernel: str = ""
    kubelet: str = ""
    proven: dict[str, Boundary] = {}


class Rights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a service account may do. `broad` names grants that reach beyond its own objects: `secrets: list`."""

    broad: tuple[str, ...] = ()
    cluster_admin: bool = False


class UseBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom a binding gives a role of `UseGrants`. `namespace` is empty when it does so everywhere.

    `accounts` are service accounts: `namespace/name`, `namespace/*` for all of a namespace, `*` for all.
    """

    role: str
    accounts: tuple[str, ...]
    namespace: str = ""


class UseGrants(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may `use` which RuntimeClasses, as far as Roles and bindings are known.

    `roles` are the classes that each role lets its holders use, None for every class. A role is named `namespace/name`,
    a ClusterRole `*/name`; one that a binding names and that is not there is not known.
    """

    roles: dict[str, tuple[str, ...] | None] = {}
    bindings: tuple[UseBinding, ...] = ()

    def beside(self, other: UseGrants | None) -> UseGrants:
        """Both together; where both know a role, the other's word counts."""
        if other is None:
            return self
        return UseGrants(roles={**self.roles, **other.roles}, bindings=(*self.bindings, *other.bindings))


class Exposure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a workload is reached. `via` names what exposes it, such as `Ingress shop/web`."""

    internet: bool = False
    via: tuple[str, ...] = ()
    network_policy: bool = False


class Surroundings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything known besides the workloads. `complete` is false for files: what is absent there may still exist.

    `exposure` is by `Workload.title`, `rights` by `namespace/serviceAccount`, `namespaces` gives labels by name.
    `tokenless` are service accounts, as `namespace/name`, whose Pods get no token unless they ask for one. `use` is
    None when no Role and no binding is known. `claims` are paths of the node that claims, as `namespace/name`, lead to;
    `unclaimed` are those of volumes that a new claim of a storage class may get.
    """

    complete: bool = False
    runtime_classes: tuple[RuntimeClass, ...] = ()
    nodes: tuple[Node, ...] = ()
    namespaces: dict[str, dict[str, str]] = {}
    exposure: dict[str, Exposure] = {}
    rights: dict[str, Rights] = {}
    tokenless: frozenset[str] = frozenset()
    use: UseGrants | None = None
    claims: dict[str, tuple[str, ...]] = {}
    unclaimed: dict[str, tuple[str, ...]] = {}

    def runtime_class(self, name: str) -> RuntimeClass | None:
        """The RuntimeClass of that name, or None."""
        return next((each for each in self.runtime_classes if each.metadata and each.metadata.name == name), None)
