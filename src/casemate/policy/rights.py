"""Which RuntimeClasses a service account may `use`, as RBAC says (`casemate.model.policy`, rule 2).

1. A role that a binding names and that is not known gives nothing, but for `cluster-admin`, which every cluster has.
2. A binding in a namespace counts for Pods of that namespace alone, as with PodSecurityPolicy's `use`; one of the
   cluster everywhere.
3. Where no role and no binding is known, nobody may use anything.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, TypeAlias

from casemate.model.surroundings import UseGrants
from casemate.model.workload import Workload

_ALWAYS: Final[dict[str, tuple[str, ...] | None]] = {"*/cluster-admin": None}
_Grant: TypeAlias = tuple[str, frozenset[str] | None]
"""Where (empty: everywhere), and which classes (None: every one)."""


def account_of(workload: Workload) -> str:
    """The name of the service account that a workload runs as."""
    return workload.spec.serviceAccountName or workload.spec.serviceAccount or "default"


class ClassRights:
    """The grants of a cluster, by whom they are given to."""

    def __init__(self, grants: UseGrants | None) -> None:
        self.known = grants is not None
        self._grants: dict[str, list[_Grant]] = defaultdict(list)
        found = grants or UseGrants()
        roles = {**_ALWAYS, **found.roles}
        for binding in found.bindings:
            classes = roles.get(binding.role, ())
            if classes != ():
                grant = (binding.namespace, None if classes is None else frozenset(classes))
                for accounts in binding.accounts:
                    self._grants[accounts].append(grant)

    def may_use(self, namespace: str, account: str, name: str) -> bool:
        """Whether Pods of that service account may use the class in their namespace."""
        return any(
            where in ("", namespace) and (classes is None or name in classes)
            for accounts in (f"{namespace}/{account}", f"{namespace}/*", "*")
            for where, classes in self._grants.get(accounts, ())
        )

    def anybody_may_use(self, name: str) -> bool:
        """Whether any service account may use the class anywhere."""
        return any(classes is None or name in classes for grants in self._grants.values() for _, classes in grants)
