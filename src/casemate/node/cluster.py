"""What the cluster is told of a prepared node: RuntimeClasses, and last of all the label that lets Pods come.

Rules:

1. A class is made when it is not there. One that is there with another handler is refused: handlers cannot be changed,
   and its Pods would mean something else. Its overhead becomes the greatest that any node measured.
2. The label says that the handler was tried on this node. It is set after everything else, when the node itself reports
   the handler (`status.runtimeHandlers`, Kubernetes 1.30 and later), and is taken away before anything else.
3. Labels of handlers that could not be tried are not set.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

import httpx

from casemate.errors import CasemateError, IncompleteError, MissingError, RefusedError
from casemate.model.node import Toml
from casemate.model.quantity import whole
from casemate.node.document import at
from casemate.sources.cluster_access import Access, access
from casemate.sources.cluster_calls import Calls

LABEL: Final = "node.casemate.dev/"
READY: Final = "ready"
_CLASSES: Final = "/apis/node.k8s.io/v1/runtimeclasses"
_REPORTED_SECONDS: Final = 120.0
_MERGE: Final = "application/merge-patch+json"
_RIGHTS: Final = "see which rights `casemate node` needs: docs/reference/node.md"


class Cluster(Calls):
    """A connection that may change classes and one node, to be closed."""

    def __init__(self, found: Access, node: str) -> None:
        super().__init__(found, _RIGHTS)
        self.node = node

    def get(self, path: str) -> Toml | None:
        """An object, or None when there is none. Raises `IncompleteError` when the server does not tell."""
        answer = self.ask("GET", path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else self._object(answer, path)

    def create(self, path: str, body: Mapping[str, object]) -> Toml:
        """Make an object. Raises as `patch` does."""
        return self._object(self.ask("POST", path, body), path)

    def patch(self, path: str, body: Mapping[str, object], kind: str = _MERGE) -> Toml:
        """Merge into an object; `kind` is the media type. Raises `InputError` where that is forbidden or wrong."""
        return self._object(self.ask("PATCH", path, body, kind), path)

    def replace(self, path: str, body: Mapping[str, object]) -> Toml | None:
        """Put a newer version of an object; None when somebody else was faster."""
        answer = self.ask("PUT", path, body)
        return None if answer.status_code == httpx.codes.CONFLICT else self._object(answer, path)

    @property
    def node_path(self) -> str:
        """The node's own object."""
        return f"/api/v1/nodes/{quote(self.node)}"

    def _object(self, answer: httpx.Response, path: str) -> Toml:
        return self.read(answer, path, dict[str, object])


def connect(kubeconfig: str | None, context: str | None, node: str) -> Cluster:
    """A connection about that node. Raises `MissingError` when the cluster has no such node."""
    found = Cluster(access(kubeconfig, context), node)
    try:
        if found.get(found.node_path) is None:
            raise MissingError(f"the cluster has no node {node!r}", fix="name it as the cluster does: --node NAME")
    except CasemateError:
        found.__exit__()
        raise
    return found


def publish(cluster: Cluster, classes: Iterable[Toml], wait: float = _REPORTED_SECONDS) -> tuple[str, ...]:
    """Make the classes, wait for the node to report their handlers, then label it (rules 1 to 3); the labels' names."""
    made = [_with_class(cluster, each) for each in classes]
    if not made:
        return ()
    _await_reported(cluster, set(made), wait)
    labels = {f"{LABEL}{handler}": READY for handler in made}
    cluster.patch(cluster.node_path, {"metadata": {"labels": labels}})
    return tuple(labels)


def withdraw(cluster: Cluster, handlers: Iterable[str]) -> None:
    """Take the node's labels away, so that no further Pods come."""
    labels = {f"{LABEL}{handler}": None for handler in handlers}
    if labels:
        cluster.patch(cluster.node_path, {"metadata": {"labels": labels}})


def greater(mine: Toml, theirs: Toml) -> Toml:
    """The overhead that covers both: the greater of each resource."""
    result = dict(theirs)
    for name, quantity in mine.items():
        known = result.get(name)
        if known is None or whole(str(quantity)) > whole(str(known)):
            result[name] = quantity
    return result


def _with_class(cluster: Cluster, wanted: Toml) -> str:
    """Make or widen a class; the handler's name."""
    name, handler = str(at(wanted, ("metadata",))["name"]), str(wanted["handler"])
    there = cluster.get(f"{_CLASSES}/{quote(name)}")
    if there is None:
        cluster.create(_CLASSES, wanted)
        return handler
    if there.get("handler") != handler:
        raise RefusedError(
            f"RuntimeClass {name} names handler {there.get('handler')}, not {handler}",
            fix=f"delete it when no Pod uses it, or make a class of another name for {handler}",
        )
    overhead = greater(at(wanted, ("overhead", "podFixed")), at(there, ("overhead", "podFixed")))
    if overhead != at(there, ("overhead", "podFixed")):
        cluster.patch(f"{_CLASSES}/{quote(name)}", {"overhead": {"podFixed": overhead}})
    return handler


def _await_reported(cluster: Cluster, handlers: set[str], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while True:
        missing = _unreported(cluster.get(cluster.node_path) or {}, handlers)
        if not missing:
            return
        if time.monotonic() >= ends:
            raise IncompleteError(
                f"the node did not report {', '.join(sorted(missing))} within {seconds:g} s: it is not labelled",
                where=f"Node {cluster.node}",
                fix="see that its kubelet speaks to the runtime that was prepared, then apply again",
            )
        time.sleep(1)


def _unreported(node: Toml, handlers: set[str]) -> set[str]:
    """Handlers that the node does not report; none when it reports no handlers at all (Kubernetes before 1.30)."""
    found = at(node, ("status",)).get("runtimeHandlers")
    if not isinstance(found, list):
        return set()
    return handlers - {str(each.get("name")) for each in found if isinstance(each, dict)}
