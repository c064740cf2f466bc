"""The third state of a boundary: what proofs of nodes show."""

from __future__ import annotations

import pytest

from casemate.catalogue.tables import load
from casemate.decide.assess import Assessor
from casemate.model.assessment import State
from casemate.model.boundary import Boundary
from casemate.model.kube.container import Container
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.kube.pod import PodSpec
from casemate.model.proof import PROOF_SECONDS, Proof, Result, shown_by_node
from casemate.model.surroundings import Node, Surroundings
from casemate.model.workload import Source, Workload

PROVEN, WEAKER = {"runsc": Boundary.SANDBOX}, {"runsc": Boundary.SHARED}
CASES = [
    # what the nodes' proofs show, the state of a Pod's boundary that can land on any of them
    ([PROVEN, PROVEN], State.PROVEN),
    ([PROVEN, {}], State.RESOLVED),
    ([PROVEN, WEAKER], State.RESOLVED),
    ([{"runc": Boundary.SHARED}], State.RESOLVED),
    ([], State.DECLARED),
]


def has_state(
    proven: list[dict[str, Boundary]],
    annotations: dict[str, str] | None = None,
    handlers: tuple[str, ...] | None = ("", "runsc"),
) -> State:
    nodes = tuple(Node(name=f"n{i}", handlers=handlers, proven=each) for i, each in enumerate(proven))
    classes = (RuntimeClass(metadata=ObjectMeta(name="gvisor"), handler="runsc"),)
    workload = Workload(
        api_version="v1",
        kind="Pod",
        namespace="default",
        name="p",
        path="spec",
        metadata=ObjectMeta(name="p", annotations=annotations or {}),
        spec=PodSpec(runtimeClassName="gvisor", containers=(Container(name="c", image="i"),)),
        source=Source(),
        object_labels={},
        object_annotations={},
    )
    around = Surroundings(complete=True, runtime_classes=classes, nodes=nodes)
    return Assessor(load(), around, None).assess(workload).has.state


@pytest.mark.parametrize(("proven", "state"), CASES)
def test_a_boundary_is_proven_when_every_node_proves_its_handler(
    proven: list[dict[str, Boundary]], state: State
) -> None:
    assert has_state(proven) is state


@pytest.mark.parametrize(
    ("handlers", "proven", "state"),
    [
        (None, [PROVEN], State.PROVEN),  # containerd 1.x: the node lists none
        (None, [PROVEN, {}], State.DECLARED),
        (None, [WEAKER], State.DECLARED),
        (("", "runc"), [PROVEN], State.DECLARED),  # the node lacks now what was proven before
    ],
)
def test_a_proof_says_more_than_a_nodes_list(
    handlers: tuple[str, ...] | None, proven: list[dict[str, Boundary]], state: State
) -> None:
    assert has_state(proven, handlers=handlers) is state


def test_a_pod_that_reconfigures_its_sandbox_is_not_proven_by_its_handler() -> None:
    assert has_state([PROVEN], {"dev.gvisor.flag.network": "host"}) is State.RESOLVED


def proof(time: float, result: Result = Result.PROVEN, subject: str = "handler/runsc") -> Proof:
    return Proof(
        subject=subject,
        node="n",
        handler="runsc",
        named=Boundary.SANDBOX,
        shown=Boundary.SANDBOX,
        result=result,
        observations=(),
        seconds=1.0,
        time=time,
    )


NOW = 10 * PROOF_SECONDS
SHOWN = [
    ([proof(NOW - 5)], Boundary.SANDBOX),
    ([proof(NOW - 9), proof(NOW - 5, Result.WEAKER)], Boundary.UNKNOWN),
    ([proof(NOW - 5, Result.WEAKER), proof(NOW - 2)], Boundary.SANDBOX),
    ([proof(NOW - PROOF_SECONDS - 1)], None),
    ([proof(NOW + 5)], None),
    ([proof(NOW - 5, subject="pod/a/b")], None),
]


@pytest.mark.parametrize(("proofs", "boundary"), SHOWN)
def test_the_newest_proof_of_a_handler_counts_for_a_day(proofs: list[Proof], boundary: Boundary | None) -> None:
    assert shown_by_node(proofs, NOW).get("n", {}).get("runsc") == boundary
