"""Probe Pods: a Pod of each class on each node, made through the API server, so that its whole path is proven.

Rules:

1. The scheduler places a Pod by node affinity, as it does a DaemonSet's, so that the class's own selector counts. It
   tolerates every taint: tainted nodes are asked too.
2. It asks for nothing: restricted as Pod Security has it, no token, and an image that the node's prober brought there.
3. It lives for two minutes at most, whatever becomes of us (`activeDeadlineSeconds`), and its prober for one. Those
   that have ended are removed by whoever comes next.
4. Each Pod has a minute and a half to be placed, started and proven. What it lacks then is told from its status.
5. Fifty are made at a time.

Sources: API reference, Pod v1; Pod Security Standards, restricted; kubernetes/pkg/controller/daemon (node affinity).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from casemate.catalogue.runtimes import Runtimes
from casemate.errors import CasemateError
from casemate.prove.cluster_api import Cluster
from casemate.prove.image import CHALLENGE_LENGTH, MODULE, PROBE, PROBE_IMAGE
from casemate.prove.matrix import Cell, ClassObject, NodeObject, Probed
from casemate.prove.published import Published
from casemate.prove.targets import wasm_only

NAMESPACE: Final = "casemate-probe"
LABELS: Final = {"app.kubernetes.io/name": NAMESPACE}

_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_AT_A_TIME: Final = 50
_SECONDS: Final = 90.0
_LIVES_SECONDS: Final = 120
_POLL_SECONDS: Final = 1.0
_ENDED: Final = ("Succeeded", "Failed")
_NOBODY: Final = 65532


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""
    uid: str = ""


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    runtime_class_name: str | None = None
    node_name: str | None = None


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""
    message: str = ""


class _Waiting(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _State(msgspec.Struct, frozen=True):
    waiting: _Waiting | None = None


class _Container(msgspec.Struct, frozen=True):
    state: _State = msgspec.field(default_factory=_State)


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = ""
    message: str = ""
    conditions: tuple[_Condition, ...] = ()
    container_statuses: tuple[_Container, ...] = ()


class Pod(msgspec.Struct, frozen=True):
    """A Pod as the API has it."""

    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def told(self) -> str:
        """What its status says of why it does not run."""
        waiting = [each.state.waiting for each in self.status.container_statuses if each.state.waiting]
        unplaced = (each.message for each in self.status.conditions if each.type == "PodScheduled" and each.message)
        reasons = (*unplaced, *(f"{each.reason} {each.message}".strip() for each in waiting), self.status.message)
        return "; ".join(filter(None, reasons)) or self.status.phase or "nothing is told of it"


@dataclass(frozen=True)
class _Made:
    """A probe Pod that was asked for."""

    cell: Cell
    name: str


def probe(
    cluster: Cluster,
    reached: Iterable[tuple[ClassObject, NodeObject]],
    catalogue: Runtimes,
    published: Callable[[str], Published],
) -> dict[Cell, Probed]:
    """What became of a Pod of each class on each node. `published` reads what counts of a node's proofs now.

    Raises `InputError` where Pods may not be made.
    """
    for each in cluster.list(_PATH, Pod):
        if each.status.phase in _ENDED:
            cluster.delete(f"{_PATH}/{each.metadata.name}")
    found: dict[Cell, Probed] = {}
    wanted = list(reached)
    for start in range(0, len(wanted), _AT_A_TIME):
        with _pods(cluster, wanted[start : start + _AT_A_TIME], catalogue) as made:
            found |= _await(cluster, made, published)
    return found


def manifest(name: str, each: ClassObject, node: NodeObject, catalogue: Runtimes) -> dict[str, object]:
    """The probe Pod of that class for that node (rules 1 to 3)."""
    program = MODULE if wasm_only(each.handler, catalogue) else PROBE
    container = {
        "name": "probe",
        "image": PROBE_IMAGE,
        "imagePullPolicy": "Never",
        "command": [program, secrets.token_hex(CHALLENGE_LENGTH // 2)],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node.name]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}}
    spec = {
        "runtimeClassName": each.name,
        "affinity": affinity,
        "tolerations": [{"operator": "Exists"}],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _LIVES_SECONDS,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    meta = {"name": name, "namespace": NAMESPACE, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@contextmanager
def _pods(
    cluster: Cluster, wanted: Sequence[tuple[ClassObject, NodeObject]], catalogue: Runtimes
) -> Iterator[tuple[_Made, ...]]:
    made: list[_Made] = []
    try:
        for each, node in wanted:
            name = f"probe-{secrets.token_hex(5)}"
            made.append(_Made((each.name, node.name), name))
            cluster.create(_PATH, manifest(name, each, node, catalogue))
        yield tuple(made)
    finally:
        for one in made:
            with suppress(CasemateError):
                cluster.delete(f"{_PATH}/{one.name}")


def _await(cluster: Cluster, made: Sequence[_Made], published: Callable[[str], Published]) -> dict[Cell, Probed]:
    ends = time.monotonic() + _SECONDS
    done: dict[Cell, Probed] = {}
    while True:
        there = {each.metadata.name: each for each in cluster.list(_PATH, Pod)}
        left = [each for each in made if each.cell not in done]
        told = {node: published(node) for node in {each.cell[1] for each in left}}
        over = time.monotonic() >= ends
        done |= {
            each.cell: seen for each in left if (seen := _seen(there.get(each.name), told[each.cell[1]], over=over))
        }
        if len(done) == len(made):
            return done
        time.sleep(_POLL_SECONDS)


def _seen(pod: Pod | None, published: Published, *, over: bool) -> Probed | None:
    """What became of a Pod; None as long as it may still be proven."""
    if pod is None:
        return Probed(failed="somebody removed the Pod")
    proof = next((each for each in published.proofs if each.uid and each.uid == pod.metadata.uid), None)
    if proof is not None:
        return Probed(pod.spec.runtime_class_name or "", pod.spec.node_name or "", proof)
    if pod.status.phase in _ENDED:
        return Probed(failed=f"the Pod ended before its node's prober told of it: {pod.told}")
    if over:
        return Probed(
            failed=f"not proven within {_SECONDS:g} s: {pod.told}; {published.refused or 'no prober told of it'}"
        )
    return None
