"""Classes by nodes: nothing is assumed of what nobody has proven."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from casemate.catalogue import runtimes
from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof, Result, Side
from casemate.prove import matrix
from casemate.prove.matrix import ClassObject, NodeObject, Probed
from casemate.prove.published import NOTHING, Published

NODE = NodeObject("n1", {"pool": "a"}, "boot-1")
GVISOR = ClassObject("gvisor", "runsc", {})
LIAR = ClassObject("gvisor", "runc", {})


def seen(boundary: Boundary | None, name: str = "processes") -> Observation:
    return Observation(id=name, side=Side.NODE, value="x", supports=boundary)


def proof(handler: str, boundary: Boundary, *more: Observation, uid: str = "") -> Proof:
    return Proof(
        subject=f"pod/casemate-probe/{uid}" if uid else f"handler/{handler}",
        node="n1",
        handler=handler,
        named=boundary,
        shown=boundary,
        result=Result.PROVEN,
        observations=(seen(boundary), *more),
        seconds=0.5,
        time=1.0,
        uid=uid,
    )


RUNSC = proof("runsc", Boundary.SANDBOX)
RUNC = proof("runc", Boundary.SHARED)
POD = proof("runsc", Boundary.SANDBOX, seen(None, "handler"), uid="u1")
HONEST = Probed("gvisor", "n1", POD)


def judged(
    each: ClassObject, *found: Proof, refused: str = "", probed: Probed | None = None, node: NodeObject = NODE
) -> Proof:
    told = {"n1": Published(found, refused)}
    pods = {("gvisor", "n1"): probed} if probed else None
    (only,) = matrix.proofs((each,), (node,), told, runtimes.load(), pods)
    return only


def test_a_class_is_proven_where_its_handler_is() -> None:
    found = judged(GVISOR, RUNC, RUNSC)
    assert (found.subject, found.node, found.handler) == ("class/gvisor", "n1", "runsc")
    assert (found.named, found.shown, found.result) == (Boundary.SANDBOX, Boundary.SANDBOX, Result.PROVEN)


def test_a_class_is_held_to_what_it_sounds_like() -> None:
    found = judged(ClassObject("kata-prod", "runc", {}), RUNC)
    assert (found.named, found.shown, found.result) == (Boundary.VM, Boundary.SHARED, Result.WEAKER)


def test_a_class_that_points_at_runc_now_is_weaker_though_the_node_is_honest() -> None:
    found = judged(LIAR, RUNC, RUNSC)
    assert (found.handler, found.shown, found.result) == ("runc", Boundary.SHARED, Result.WEAKER)


def test_a_handler_that_was_found_weaker_makes_its_class_weaker() -> None:
    assert judged(GVISOR, proof("runsc", Boundary.SHARED)).result is Result.WEAKER


def test_a_handler_that_could_not_be_shown_proves_no_class() -> None:
    assert judged(GVISOR, proof("runsc", Boundary.SANDBOX, seen(None))).result is Result.UNPROVABLE


def test_a_handler_of_a_name_that_nobody_knows_is_judged_by_its_class() -> None:
    """Of such a handler the node says that nothing is named; the class names something."""
    unnamed = proof("boxed", Boundary.SANDBOX, seen(None, "name"))
    assert judged(ClassObject("gvisor", "boxed", {}), unnamed).result is Result.PROVEN
    assert judged(ClassObject("mine", "boxed", {}), unnamed).result is Result.UNPROVABLE


@pytest.mark.parametrize(
    ("found", "refused", "why"),
    [
        ((), "the statement was not signed with this key", "not signed with this key"),
        ((), NOTHING.refused, "published nothing"),
        ((RUNC,), "", "the node has no handler runsc"),
    ],
)
def test_nothing_is_assumed_of_what_was_not_proven(found: tuple[Proof, ...], refused: str, why: str) -> None:
    told = judged(GVISOR, *found, refused=refused)
    assert (told.result, told.shown) == (Result.UNPROVABLE, Boundary.UNKNOWN)
    assert why in told.observations[0].value


def test_a_node_that_published_nothing_is_told() -> None:
    (found,) = matrix.proofs((GVISOR,), (NODE,), {}, runtimes.load())
    assert (found.node, found.result) == ("n1", Result.UNPROVABLE)


def test_a_class_is_asked_of_the_nodes_with_its_labels_only() -> None:
    there, elsewhere = ClassObject("gvisor", "runsc", {"pool": "a"}), NodeObject("n2", {"pool": "b"})
    found = matrix.proofs((there,), (elsewhere, NODE), {"n1": Published((RUNSC,))}, runtimes.load())
    assert [(each.node, each.result) for each in found] == [("n1", Result.PROVEN)]


def test_a_class_that_reaches_no_node_is_not_proven() -> None:
    (found,) = matrix.proofs((ClassObject("gvisor", "runsc", {"pool": "c"}),), (NODE,), {}, runtimes.load())
    assert (found.node, found.result) == ("", Result.UNPROVABLE)
    assert found.observations[0].value == "the class reaches no node: none has the labels pool=c"


def test_a_pod_of_the_api_server_counts_as_well() -> None:
    found = judged(GVISOR, RUNSC, probed=HONEST)
    assert found.result is Result.PROVEN
    assert {"processes", "pod", "pod-handler", "pod-processes"} == {each.id for each in found.observations}


@pytest.mark.parametrize(
    ("probed", "result"),
    [
        (Probed(failed="no node takes it"), Result.UNPROVABLE),
        (Probed("gvisor", "n1", proof("runc", Boundary.SHARED, uid="u1")), Result.WEAKER),
        (Probed("gvisor", "n1", proof("runc", Boundary.SANDBOX, uid="u1")), Result.WEAKER),
        (Probed("gvisor", "n1", proof("runsc", Boundary.SHARED, uid="u1")), Result.WEAKER),
        (Probed("gvisor", "n1", replace(POD, observations=(seen(None),))), Result.UNPROVABLE),
        (Probed("", "n1", POD), Result.WEAKER),
        (Probed("runc", "n1", POD), Result.WEAKER),
        (Probed("gvisor", "n2", POD), Result.WEAKER),
    ],
    ids=["never ran", "runc", "another handler", "weak processes", "unseen", "class lost", "class changed", "moved"],
)
def test_a_pod_that_went_another_way_speaks_against_an_honest_handler(probed: Probed, result: Result) -> None:
    assert judged(GVISOR, RUNSC, probed=probed).result is result
