"""Rules and namespaces as the API server has them.

1. Policies, exceptions, classes and nodes are followed; each change makes new rules, with the next revision. Changes
   that come close together make one.
2. Nothing is published before all kinds were read once: a set that lacks the exceptions or a policy is not whole.
3. A policy that cannot be read keeps the meaning that it had. When it had none, it stands in the way (see `judge`).
4. Where a policy asks for rights, nothing is published before these are settled (`cluster_rights`).
5. Of nodes only what policies look at is kept, so that a heartbeat changes nothing. Of namespaces only the labels.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from casemate.admission.cluster_rights import ClusterRights
from casemate.admission.judge import Unread, labels_of
from casemate.admission.kube import Kube
from casemate.admission.published import Namespaces, Rules
from casemate.admission.watch import Follower, Store
from casemate.errors import InputError
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import Policy, PolicyException
from casemate.model.surroundings import Node, Surroundings
from casemate.sources import policies as documents
from casemate.sources.surroundings import Neighbours

_OWN: Final = "/apis/casemate.dev/v1alpha1"
_GATHERS: Final = 0.02
_T = TypeVar("_T", Policy, PolicyException)

_log = structlog.get_logger("casemate.admission")


class Document(msgspec.Struct, Generic[_T], frozen=True):
    """A policy or exception, and why it cannot be read, if so. `generation` and `uid` are those of the object."""

    title: str
    namespace: str
    value: _T | None
    problem: str = ""
    generation: int = 0
    uid: str = ""


class _Remembering(Generic[_T]):
    """Decodes documents, and knows what each meant when it could be read."""

    def __init__(self, decode: Callable[[dict[str, object], str], _T]) -> None:
        self._decode: Callable[[dict[str, object], str], _T] = decode
        self._good: dict[tuple[str, str], _T] = {}

    def __call__(self, raw: bytes) -> Document[_T]:
        value = msgspec.json.decode(raw, type=dict[str, object])
        kind, name, namespace, generation, uid = _identity(value)
        title = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
        key = (namespace, name)
        try:
            self._good[key] = good = self._decode(value, title)
        except (InputError, RecursionError) as error:
            problem = error.what if isinstance(error, InputError) else "nested too deeply"
            _log.error("cannot be read", document=title, error=problem)
            return Document(title, namespace, self._good.get(key), problem, generation, uid)
        return Document(title, namespace, good, "", generation, uid)


def _identity(value: dict[str, object]) -> tuple[str, str, str, int, str]:
    meta = value.get("metadata")
    found = meta if isinstance(meta, dict) else {}
    generation = found.get("generation")
    return (
        str(value.get("kind")),
        str(found.get("name", "")),
        str(found.get("namespace", "")),
        generation if isinstance(generation, int) else 0,
        str(found.get("uid", "")),
    )


def _around(raw: bytes) -> Surroundings:
    neighbours = Neighbours()
    neighbours.take(msgspec.json.decode(raw, type=dict[str, object]))
    return neighbours.around((), complete=True)


def _node(kind: str) -> Callable[[bytes], Node | None]:
    version = f'{{"apiVersion":"v1","kind":"{kind}",'.encode()

    def decoded(raw: bytes) -> Node | None:
        return next(iter(_around(_typed(raw, version)).nodes), None)

    return decoded


def _class(raw: bytes) -> RuntimeClass | None:
    version = b'{"apiVersion":"node.k8s.io/v1","kind":"RuntimeClass",'
    return next(iter(_around(_typed(raw, version)).runtime_classes), None)


def _typed(raw: bytes, version: bytes) -> bytes:
    """An item with what its list leaves out; where it says it itself, that comes last and counts."""
    return version + raw.lstrip()[1:]


def _labels(raw: bytes) -> dict[str, str]:
    return labels_of(msgspec.json.decode(raw, type=dict[str, object]))


class ClusterRules:
    """What the cluster has, kept up to date while `follow` runs."""

    def __init__(self, kube: Kube, publish: Callable[[Rules], None], name: Callable[[Namespaces], None]) -> None:
        self.policies = Store(_Remembering(documents.decode_policy))
        self.narrowing = Store(_Remembering(documents.decode_policy))
        self.exceptions = Store(_Remembering(documents.decode_exception))
        self.classes = Store(_class)
        self.nodes = Store(_node("Node"))
        self.namespaces = Store(_labels)
        self._publish = publish
        self._name = name
        self._revision = time.time_ns() // 1_000_000  # Grows over restarts too.
        self._rules, self._names = asyncio.Event(), asyncio.Event()
        self._rights = ClusterRights(kube, self._rules.set)
        self._followers = (
            Follower(kube, f"{_OWN}/isolationpolicies", self.policies, self._rules.set),
            Follower(kube, f"{_OWN}/namespacedisolationpolicies", self.narrowing, self._rules.set),
            Follower(kube, f"{_OWN}/isolationexceptions", self.exceptions, self._rules.set),
            Follower(kube, "/apis/node.k8s.io/v1/runtimeclasses", self.classes, self._rules.set),
            Follower(kube, "/api/v1/nodes", self.nodes, self._rules.set),
            Follower(kube, "/api/v1/namespaces", self.namespaces, self._names.set, metadata_only=True),
        )

    async def follow(self) -> None:
        """Never ends."""
        async with asyncio.TaskGroup() as group:
            for each in self._followers:
                group.create_task(each.follow())
            group.create_task(self._rights.follow())
            group.create_task(self._keep(self._rules, self._publish_rules))
            group.create_task(self._keep(self._names, self._publish_names))

    async def _keep(self, changed: asyncio.Event, publish: Callable[[], None]) -> None:
        while True:
            await changed.wait()
            await asyncio.sleep(_GATHERS)
            changed.clear()
            publish()

    def _publish_names(self) -> None:
        if self.namespaces.synced:
            self._name({key.lstrip("/"): labels for key, labels in self.namespaces.items.items()})

    def _publish_rules(self) -> None:
        kinds = (self.policies, self.narrowing, self.exceptions, self.classes, self.nodes)
        if not all(each.synced for each in kinds):
            return
        if any(each.spec.rbac for store in (self.policies, self.narrowing) for each in _values(store)):
            self._rights.ask()
            if not self._rights.settled:
                return
        self._revision += 1
        self._publish(self.rules())

    def rules(self) -> Rules:
        """The rules as they are known now."""
        return Rules(
            revision=self._revision,
            policies=tuple(_values(self.policies)) + tuple(_values(self.narrowing)),
            exceptions=tuple(_values(self.exceptions)),
            unread=tuple(self._unread()),
            runtime_classes=tuple(each for each in self.classes.items.values() if each),
            nodes=tuple(each for each in self.nodes.items.values() if each),
            use=self._rights.use,
            complete=True,
        )

    def _unread(self) -> Iterator[Unread]:
        """What stands in the way. An exception that cannot be read only accepts nothing."""
        for store in (self.policies, self.narrowing):
            for each in store.items.values():
                if each.value is None:
                    yield Unread(title=each.title, problem=each.problem, namespace=each.namespace)


def _values(store: Store[Document[_T]]) -> Iterator[_T]:
    return (each.value for _, each in sorted(store.items.items()) if each.value is not None)
