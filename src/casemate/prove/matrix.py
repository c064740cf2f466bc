"""RuntimeClasses by nodes: what the nodes' published proofs show of each class where its Pods may land.

Rules:

1. A class reaches a node that has every label of its node selector. Taints keep Pods away, and are not weighed: no weak
   node is overlooked. A class that reaches no node is not proven anywhere.
2. Classes are the API server's, as they are now. What counts is the handler that the class names now, so one that was
   pointed elsewhere after the nodes were proven is judged by where it points.
3. What was observed of that handler on that node is weighed against what the class's name promises, or what it sounds
   like (`kata-prod`); where the catalogue does not know the class, against what the handler's name does.
4. Where nothing that counts was published, or the node has no such handler, nothing is shown.
5. Where a probe Pod was made, it counts as well: the API server must have kept its class, and the scheduler its node;
   the node's prober must have found its sandbox, by the Pod's uid, under the handler that the class names, and its
   processes must be such a sandbox's. The uid was not known before the Pod was made.

Sources: KEP-585 (RuntimeClass), RuntimeClass scheduling; `casemate.prove.rules`, `casemate.prove.pods`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from casemate.catalogue.runtimes import Runtimes
from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof
from casemate.prove import rules
from casemate.prove.observed import NAME, nameless, on_node
from casemate.prove.published import NOTHING, Published

_HANDLER: Final = "handler"


@dataclass(frozen=True)
class ClassObject:
    """A RuntimeClass: its name, its handler, and the labels that it asks of nodes."""

    name: str
    handler: str
    selector: Mapping[str, str]


@dataclass(frozen=True)
class NodeObject:
    """A Node: its name, its labels, and the boot that it is in."""

    name: str
    labels: Mapping[str, str]
    boot: str = ""


@dataclass(frozen=True)
class Probed:
    """What became of a probe Pod: the class and the node that the API server has it with, and the proof of its uid.

    `failed` is why there is none.
    """

    class_name: str = ""
    node: str = ""
    proof: Proof | None = None
    failed: str = ""


Cell = tuple[str, str]
"""A class and a node, by name."""


def cells(classes: Sequence[ClassObject], nodes: Sequence[NodeObject]) -> Iterator[tuple[ClassObject, NodeObject]]:
    """Each class with each node that it reaches (rule 1), in the order of their names."""
    for each in sorted(classes, key=lambda found: found.name):
        for node in sorted(nodes, key=lambda found: found.name):
            if all(node.labels.get(key) == value for key, value in each.selector.items()):
                yield each, node


def proofs(
    classes: Sequence[ClassObject],
    nodes: Sequence[NodeObject],
    published: Mapping[str, Published],
    catalogue: Runtimes,
    probed: Mapping[Cell, Probed] | None = None,
) -> tuple[Proof, ...]:
    """A proof for each class on each node that it reaches; `published` is by node, `probed` where Pods were made."""
    reached = tuple(cells(classes, nodes))
    names = {each.name for each, _ in reached}
    nowhere = [_unreached(each, catalogue) for each in classes if each.name not in names]
    found = (
        _proof(each, node, published.get(node.name, NOTHING), catalogue, (probed or {}).get((each.name, node.name)))
        for each, node in reached
    )
    return (*found, *nowhere)


def _proof(
    each: ClassObject, node: NodeObject, published: Published, catalogue: Runtimes, probed: Probed | None
) -> Proof:
    of_handler = next((one for one in published.proofs if one.subject == f"handler/{each.handler}"), None)
    if of_handler is None:
        value = published.refused or f"the node has no handler {each.handler}"
        return _unprovable(each, node, catalogue, on_node("statement", None, value))
    own = tuple(one for one in of_handler.observations if one.id != NAME)
    seen = (*own, *(_of_pod(each, node, probed) if probed else ()))
    return _concluded(
        replace(of_handler, subject=f"class/{each.name}"),
        catalogue.promised(each.name, each.handler, each.selector),
        seen,
    )


def _of_pod(each: ClassObject, node: NodeObject, probed: Probed) -> Iterator[Observation]:
    found = probed.proof
    if found is None:
        yield on_node("pod", None, probed.failed)
        return
    kept = (probed.class_name, probed.node) == (each.name, node.name)
    place = f"class {probed.class_name or 'none'}, on {probed.node or 'no node'}"
    most = max((one.supports for one in found.observations if one.supports is not None), default=None)
    yield on_node("pod", most if kept else Boundary.UNKNOWN, f"the API server has it with {place}")
    same = found.handler == each.handler
    told = "as the class names" if same else f"and the class names {each.handler}"
    yield on_node("pod-handler", most if same else Boundary.UNKNOWN, f"its sandbox is of {found.handler}, {told}")
    # What the prober says of the class is left out: it was not asked to know it.
    yield from (replace(one, id=f"pod-{one.id}") for one in found.observations if one.id != _HANDLER)


def _unreached(each: ClassObject, catalogue: Runtimes) -> Proof:
    labels = ", ".join(f"{key}={value}" for key, value in each.selector.items()) or "any"
    seen = on_node("nodes", None, f"the class reaches no node: none has the labels {labels}")
    return _unprovable(each, NodeObject("", {}), catalogue, seen)


def _unprovable(each: ClassObject, node: NodeObject, catalogue: Runtimes, seen: Observation) -> Proof:
    nothing = Proof(
        subject=f"class/{each.name}",
        node=node.name,
        handler=each.handler,
        named=Boundary.UNKNOWN,
        shown=Boundary.UNKNOWN,
        result=rules.conclude(Boundary.UNKNOWN, (seen,))[1],
        observations=(),
        seconds=0.0,
        time=0.0,
    )
    return _concluded(nothing, catalogue.promised(each.name, each.handler, each.selector), (seen,))


def _concluded(proof: Proof, named: Boundary, seen: tuple[Observation, ...]) -> Proof:
    observations = (*nameless(proof.subject, named), *seen)
    shown, result = rules.conclude(named, observations)
    return replace(proof, named=named, shown=shown, result=result, observations=observations)
