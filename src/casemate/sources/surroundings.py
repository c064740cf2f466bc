"""What stands next to workloads: classes, nodes and namespaces here; exposure, rights and volumes in their own modules.

1. Objects are taken in as they are read; only what the model keeps of them is held.
2. What cannot be decoded is left out: surroundings are evidence, and broken evidence is none.
3. For files the surroundings are incomplete: what is absent there may still exist in the cluster.
   A namespace that stands there twice has the labels of both: one may be the other's patch.
   But a class without a handler, which the API server refuses, is one of which nobody knows the handler.
4. A class that files give two handlers has neither for sure: it gets one that nobody knows, which both are named in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from casemate.model.kube.objects import RuntimeClass
from casemate.model.surroundings import Node, Surroundings
from casemate.model.workload import Workload
from casemate.sources.fast_decode import decode
from casemate.sources.shape import group_of
from casemate.sources.surroundings_exposure import Paths
from casemate.sources.surroundings_rights import Grants
from casemate.sources.surroundings_volumes import Volumes

_APART: Final = frozenset(("ConfigMap", "Secret", "Endpoints", "Event", "LimitRange"))


class Neighbours:
    """The objects of the surroundings that were taken in so far."""

    def __init__(self) -> None:
        self._classes: dict[str, RuntimeClass] = {}
        self._handlers: dict[str, dict[str, None]] = {}
        self._nodes: dict[str, Node] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        self._paths = Paths()
        self._grants = Grants()
        self._volumes = Volumes()

    def take(self, value: dict[str, object]) -> bool:
        """Take an object in. False when it is none of the surroundings': it may hold workloads."""
        group, kind = group_of(value.get("apiVersion")), str(value.get("kind"))
        if any(each.take(group, kind, value) for each in (self._paths, self._grants, self._volumes)):
            return True
        match group, kind:
            case "node.k8s.io", "RuntimeClass":
                self._runtime_class(value)
            case "", "Node":
                self._node(value)
            case "", "Namespace":
                name, labels = _identity(value)
                self._namespaces[name] = {**self._namespaces.get(name, {}), **labels}
            case _:
                return group == "" and kind in _APART
        return True

    def around(self, workloads: Sequence[Workload], *, complete: bool) -> Surroundings:
        """The surroundings of these workloads."""
        return Surroundings(
            complete=complete,
            runtime_classes=tuple(self._classes.values()),
            nodes=tuple(self._nodes.values()),
            namespaces=self._namespaces,
            exposure=self._paths.exposure(workloads),
            rights=self._grants.rights(workloads),
            tokenless=self._grants.tokenless(),
            use=self._grants.use(),
            claims=self._volumes.claims(),
            unclaimed=self._volumes.unclaimed(),
        )

    def _runtime_class(self, value: dict[str, object]) -> None:
        found = decode(value, RuntimeClass).struct
        if not found.handler:
            found = replace(found, handler=_NO_HANDLER)
        if found.metadata and found.metadata.name:
            name, handlers = found.metadata.name, self._handlers.setdefault(found.metadata.name, {})
            handlers[found.handler] = None
            self._classes[name] = found if len(handlers) == 1 else _either(found, handlers)

    def _node(self, value: dict[str, object]) -> None:
        name, labels = _identity(value)
        if name:
            self._nodes[name] = _node(name, labels, _mapping(value.get("status")))


_NO_HANDLER: Final = "no handler"


def _either(found: RuntimeClass, handlers: Iterable[str]) -> RuntimeClass:
    return replace(found, handler=f"either {' or '.join(handlers)}")


def _node(name: str, labels: dict[str, str], status: dict[str, object]) -> Node:
    info = _mapping(status.get("nodeInfo"))
    reported = status.get("runtimeHandlers")
    handlers = [each for each in reported if isinstance(each, dict)] if isinstance(reported, list) else None
    return Node(
        name=name,
        labels=labels,
        handlers=None if handlers is None else tuple(_text(each.get("name")) for each in handlers),
        user_namespace_handlers=tuple(
            _text(each.get("name")) for each in handlers or () if _mapping(each.get("features")).get("userNamespaces")
        ),
        container_runtime=_text(info.get("containerRuntimeVersion")),
        kernel=_text(info.get("kernelVersion")),
        kubelet=_text(info.get("kubeletVersion")),
    )


def _identity(value: dict[str, object]) -> tuple[str, dict[str, str]]:
    meta = _mapping(value.get("metadata"))
    labels = _mapping(meta.get("labels"))
    texts = {key: each for key, each in labels.items() if isinstance(key, str) and isinstance(each, str)}
    return _text(meta.get("name")), texts


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
