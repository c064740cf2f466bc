"""One node of a cluster at a time: a Lease, a condition and events of the node, and room for a revert.

Rules:

1. Whoever holds the Lease changes its node. Another waits until it is let go of, or until it was not renewed for as
   long as it lasts, measured by its own clock from when it saw it last change: clocks need not agree.
2. A node that failed keeps no turn, but says so: its condition `CasemateReady` is False, with an event.
3. A restart of containerd loses no Pod, so nothing is moved for an apply. A revert takes handlers away: Pods under them
   are evicted first (policy/v1 Eviction, which keeps disruption budgets), and waited for.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from casemate.errors import CasemateError, IncompleteError
from casemate.model.node import Toml
from casemate.node.cluster import Cluster
from casemate.node.document import at, tables

CONDITION: Final = "CasemateReady"
LEASE: Final = "casemate-node"
NAMESPACE: Final = "kube-system"
_LEASES: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_LASTS: Final = 300
_PAUSE: Final = 2.0
_DRAIN_SECONDS: Final = 600.0
_STRATEGIC: Final = "application/strategic-merge-patch+json"


@dataclass
class _Seen:
    """When the Lease was last seen to change."""

    what: tuple[object, object] = ("", "")
    since: float = 0.0


@contextlib.contextmanager
def turn(cluster: Cluster, say: Callable[[str], None], wait: float) -> Iterator[None]:
    """This node's turn. Raises `IncompleteError` when it does not come in `wait` seconds."""
    _take(cluster, say, wait)
    try:
        yield
    finally:
        with contextlib.suppress(CasemateError):
            _let_go(cluster)


@contextlib.contextmanager
def told(cluster: Cluster, done: str) -> Iterator[None]:
    """The node's condition and events tell how what happens here ends (rule 2)."""
    try:
        yield
    except CasemateError as error:
        with contextlib.suppress(CasemateError):
            tell(cluster, ready=False, reason="Failed", message=error.what)
        raise
    tell(cluster, ready=True, reason=done, message=f"{done.lower()} on {cluster.node}")


def tell(cluster: Cluster, *, ready: bool, reason: str, message: str) -> None:
    """Set the node's condition, and add an event."""
    now = _now()
    condition = {
        "type": CONDITION,
        "status": "True" if ready else "False",
        "reason": reason,
        "message": message[:1024],
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }
    cluster.patch(f"{cluster.node_path}/status", {"status": {"conditions": [condition]}}, _STRATEGIC)
    event = {
        "metadata": {"generateName": f"{cluster.node}.", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": cluster.node, "uid": cluster.node},
        "type": "Normal" if ready else "Warning",
        "reason": f"Casemate{reason}",
        "message": message[:1024],
        "source": {"component": "casemate-node", "host": cluster.node},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    cluster.create("/api/v1/namespaces/default/events", event)


def make_room(
    cluster: Cluster, handlers: Iterable[str], say: Callable[[str], None], wait: float = _DRAIN_SECONDS
) -> None:
    """Evict the node's Pods whose class names one of these handlers, and wait until they are gone (rule 3)."""
    classes = _classes_of(cluster, set(handlers))
    ends = time.monotonic() + wait
    while pods := _pods(cluster, classes):
        if time.monotonic() >= ends:
            raise IncompleteError(
                f"{len(pods)} Pods under these handlers did not end within {wait:g} s: {', '.join(sorted(pods)[:3])}",
                fix="see their disruption budgets: kubectl get pdb -A",
            )
        for pod in pods:
            say(f"evicting {pod}")
            _evict(cluster, pod)
        time.sleep(_PAUSE)


def _take(cluster: Cluster, say: Callable[[str], None], wait: float) -> None:
    seen, ends, said = _Seen(), time.monotonic() + wait, ""
    while time.monotonic() < ends:
        lease = cluster.get(f"{_LEASES}/{LEASE}")
        spec = at(lease or {}, ("spec",))
        holder = str(spec.get("holderIdentity") or "")
        if lease is None:
            if _make(cluster):
                return
        elif _may_take(seen, holder, spec, cluster.node) and cluster.replace(
            f"{_LEASES}/{LEASE}", {**lease, "spec": _spec(cluster.node)}
        ):
            return
        if holder and holder != said:
            said = holder
            say(f"waiting for node {holder} to end its turn")
        time.sleep(_PAUSE)
    raise IncompleteError(f"this node's turn did not come within {wait:g} s", where=f"Lease {NAMESPACE}/{LEASE}")


def _may_take(seen: _Seen, holder: str, spec: Toml, me: str) -> bool:
    now = (holder, spec.get("renewTime"))
    if now != seen.what:
        seen.what, seen.since = now, time.monotonic()
    lasts = spec.get("leaseDurationSeconds")
    return holder in ("", me) or time.monotonic() - seen.since > (lasts if isinstance(lasts, int) else _LASTS)


def _make(cluster: Cluster) -> bool:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": NAMESPACE},
        "spec": _spec(cluster.node),
    }
    try:
        cluster.create(_LEASES, body)
    except CasemateError:
        if cluster.get(f"{_LEASES}/{LEASE}") is None:
            raise  # it was not that another node was faster
        return False
    return True


def _spec(holder: str) -> Toml:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"holderIdentity": holder, "leaseDurationSeconds": _LASTS, "renewTime": now, "acquireTime": now}


def _let_go(cluster: Cluster) -> None:
    lease = cluster.get(f"{_LEASES}/{LEASE}")
    if lease is not None and at(lease, ("spec",)).get("holderIdentity") == cluster.node:
        cluster.replace(f"{_LEASES}/{LEASE}", {**lease, "spec": {**_spec(""), "leaseDurationSeconds": 1}})


def _classes_of(cluster: Cluster, handlers: set[str]) -> set[str]:
    classes = tables(cluster.get("/apis/node.k8s.io/v1/runtimeclasses") or {}, "items")
    return {str(at(each, ("metadata",)).get("name")) for each in classes if each.get("handler") in handlers}


def _pods(cluster: Cluster, classes: set[str]) -> list[str]:
    """Paths below the namespaces of the node's Pods that name one of the classes."""
    query = urlencode({"fieldSelector": f"spec.nodeName={cluster.node}"})
    pods = tables(cluster.get(f"/api/v1/pods?{query}") or {}, "items")
    return [
        f"{meta.get('namespace')}/{meta.get('name')}"
        for meta, spec in ((at(each, ("metadata",)), at(each, ("spec",))) for each in pods)
        if spec.get("runtimeClassName") in classes
    ]


def _evict(cluster: Cluster, pod: str) -> None:
    """Ask for one Pod's eviction; a budget that does not allow it now is asked again."""
    namespace, _, name = pod.partition("/")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    with contextlib.suppress(CasemateError):
        cluster.create(f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}/eviction", body)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
