"""The classes that may be recommended, cheapest first, and what each costs.

1. First the classes that the surroundings have; then the catalogue's own, where somebody would have to install them,
   each by the first plain name that its RuntimeClass commonly has.
   Of those that stand alike in the table of fits, the cheapest: what fails under one fails under all.
   Whoever has to install one installs the most general: `kata` on QEMU before a hypervisor that lacks something.
2. Managed runtimes exist only where their vendor offers them: they are candidates where such a class is there, or is
   permitted by name.
3. `permitted` names classes or runtimes; None means all. The default handler's class is named "".
4. The price is the boundary first, then what nodes must have beyond KVM, memory, CPU and start; what is not known of a
   runtime costs most.
5. A RuntimeClass's `overhead` is what its Pods pay, whatever the catalogue says of the runtime.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from casemate.catalogue.rows import Runtime
from casemate.catalogue.tables import Catalogue
from casemate.decide.classes import Classes
from casemate.errors import InputError
from casemate.model.assessment import Cost
from casemate.model.boundary import Boundary
from casemate.model.kube.objects import RuntimeClass
from casemate.model.quantity import milli, whole
from casemate.model.surroundings import Surroundings

_MODULES: Final = frozenset({"wasm", "runwasi"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that may be recommended. `installed` is false when the cluster is known not to have it."""

    name: str
    runtime: Runtime
    installed: bool
    offered: bool
    cost: Cost

    @property
    def modules_only(self) -> bool:
        """Whether it is of use to Wasm modules only."""
        return not _MODULES.isdisjoint(self.runtime.families)


def candidates(
    catalogue: Catalogue, classes: Classes, surroundings: Surroundings, permitted: Sequence[str] | None
) -> tuple[Candidate, ...]:
    """All candidates that are stronger than the default handler, cheapest first."""
    offered = (*_offered(catalogue, classes), *_catalogued(catalogue, classes, surroundings, permitted))
    allowed = (each for each in offered if _is_permitted(each, permitted))
    strong = sorted((each for each in allowed if each.runtime.boundary > Boundary.SHARED), key=_price)
    if permitted is not None:
        return tuple(strong)
    alike = {(each.runtime.families, each.runtime.boundary): each for each in reversed(strong) if not each.offered}
    return tuple(each for each in strong if each.offered or each in alike.values())


def cost(runtime: Runtime | None, document: RuntimeClass | None) -> Cost:
    """What a Pod of that class costs (rule 5)."""
    if runtime is None:
        return Cost()
    known = runtime.overhead.cost() if runtime.overhead else Cost()
    fixed = document.overhead.podFixed if document and document.overhead else {}
    if not fixed or document is None or document.metadata is None:
        return known
    try:
        memory = whole(fixed["memory"]) if "memory" in fixed else known.memory
        cpu = milli(fixed["cpu"]) if "cpu" in fixed else known.cpu
    except InputError:  # an API server refuses such a class; a file may still have it
        return known
    source = f"overhead of RuntimeClass {document.metadata.name}"
    return Cost(memory=memory, cpu=cpu, start_seconds=known.start_seconds, source=source)


def _offered(catalogue: Catalogue, classes: Classes) -> Iterator[Candidate]:
    for name, document in classes.documents.items():
        selector = document.scheduling.nodeSelector if document.scheduling else {}
        runtime = catalogue.runtimes.of_handler(document.handler, selector)
        if runtime:
            yield Candidate(name, runtime, True, True, cost(runtime, document))


def _catalogued(
    catalogue: Catalogue, classes: Classes, surroundings: Surroundings, permitted: Sequence[str] | None
) -> Iterator[Candidate]:
    taken = {name for name in classes.documents if name}
    for runtime in catalogue.runtimes.runtimes:
        plain = [name for name in runtime.classes if "*" not in name and name not in taken]
        named = [name for name in plain if permitted and name in permitted]
        if runtime.managed and not named:
            continue
        for name in named or plain[:1]:
            if catalogue.runtimes.of_class(name) is runtime:
                yield Candidate(name, runtime, not surroundings.complete, False, cost(runtime, None))


def _is_permitted(candidate: Candidate, permitted: Sequence[str] | None) -> bool:
    return permitted is None or candidate.name in permitted or candidate.runtime.id in permitted


def _price(candidate: Candidate) -> tuple[bool, Boundary, int, int, float, float, float]:
    runtime, price = candidate.runtime, candidate.cost
    special = len(set(runtime.requires) - {"kvm"}) + (not runtime.families)
    lacking = 0 if candidate.offered else len(runtime.families)
    numbers = (_number(price.memory), _number(price.cpu), _number(price.start_seconds))
    return (not candidate.offered, runtime.boundary, special, lacking, *numbers)


def _number(value: float | None) -> float:
    return float("inf") if value is None else float(value)
