"""Who may `use` which RuntimeClass, as the API server has it: Roles, ClusterRoles and their bindings.

1. They are followed from when a policy first asks for rights: where none does, nothing is read and nothing is held.
2. Rights count once all four kinds were read. Where that takes too long (casemate may not read them, say) they are
   unknown, and what asks for them refuses; but nothing else waits for them any longer.
3. Only what could let a service account use a class is kept of an object; what changes elsewhere in it changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import msgspec
import structlog

from casemate.admission.kube import Kube
from casemate.admission.watch import Follower, Store
from casemate.model.surroundings import UseGrants
from casemate.sources.surroundings import Neighbours

Object: TypeAlias = dict[str, object]

_VERSION: Final = "rbac.authorization.k8s.io/v1"
_KINDS: Final = {
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}
_GROUPS: Final = frozenset({"node.k8s.io", "*"})
_KEPT: Final = ("roleRef", "subjects", "aggregationRule")
_IDENTITY: Final = ("name", "namespace", "labels")
_GATHERS: Final = 0.02
_WITHIN: Final = 10.0

_log = structlog.get_logger("casemate.admission")


class ClusterRights:
    """Rights, kept up to date from when they are asked for, while `follow` runs. `changed` tells of each change."""

    def __init__(self, kube: Kube, changed: Callable[[], None]) -> None:
        self.use: UseGrants | None = None
        self.settled = False
        self._changed = changed
        self._asked, self._touched = asyncio.Event(), asyncio.Event()
        self._stores = [Store(_keeping(kind)) for kind in _KINDS]
        self._followers = [
            Follower(kube, f"/apis/{_VERSION}/{plural}", store, self._touched.set)
            for plural, store in zip(_KINDS.values(), self._stores, strict=True)
        ]

    def ask(self) -> None:
        """Some policy asks for rights."""
        self._asked.set()

    async def follow(self) -> None:
        """Never ends."""
        await self._asked.wait()
        async with asyncio.TaskGroup() as group:
            for each in self._followers:
                group.create_task(each.follow())
            group.create_task(self._keep())
            group.create_task(self._lose_patience())

    async def _keep(self) -> None:
        while True:
            await self._touched.wait()
            await asyncio.sleep(_GATHERS)
            self._touched.clear()
            if all(each.synced for each in self._stores):
                objects = [one for each in self._stores for one in each.items.values()]
                self._take(await asyncio.to_thread(_use, objects))

    async def _lose_patience(self) -> None:
        await asyncio.sleep(_WITHIN)
        if not self.settled:
            unread = [plural for plural, each in zip(_KINDS.values(), self._stores, strict=True) if not each.synced]
            _log.error("cannot read who may use which class: what asks for that refuses", unread=unread)
            self._take(None)

    def _take(self, found: UseGrants | None) -> None:
        if found != self.use or not self.settled:
            self.use, self.settled = found, True
            self._changed()


def _use(objects: Iterable[Object]) -> UseGrants | None:
    neighbours = Neighbours()
    for each in objects:
        neighbours.take(each)
    return neighbours.around((), complete=True).use


def _keeping(kind: str) -> Callable[[bytes], Object]:
    def decoded(raw: bytes) -> Object:
        value = msgspec.json.decode(raw, type=dict[str, object])
        meta = value.get("metadata")
        identity = {key: meta[key] for key in _IDENTITY if key in meta} if isinstance(meta, dict) else {}
        kept: Object = {key: value[key] for key in _KEPT if key in value}
        return kept | {"apiVersion": _VERSION, "kind": kind, "metadata": identity, "rules": list(_rules(value))}

    return decoded


def _rules(value: Object) -> Iterator[object]:
    """The rules that may be about RuntimeClasses."""
    rules = value.get("rules")
    for each in rules if isinstance(rules, list) else ():
        groups = each.get("apiGroups") if isinstance(each, dict) else None
        if isinstance(groups, list) and not _GROUPS.isdisjoint(groups):
            yield each
