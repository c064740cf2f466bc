"""What `assess` says of a workload under a class: the boundary that it needs, and what would break.

1. The namespace's labels are those of the request: nothing else is known to be as new.
2. What fails is a row of the catalogue's fits for the class's runtime. What behaves differently, or nobody tested,
   fails nothing.
3. What a workload's own labels say of its need (`casemate.dev/…`) may raise it, not lower it: whoever makes a Pod
   labels it. Its namespace's labels are anchors, and do both.
4. Unset is what the node gives to everybody: nothing is known to break there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.decide import need
from casemate.decide.cases import Cases, Read
from casemate.decide.gather import gather
from casemate.decide.predicates import Questions
from casemate.model.assessment import Blocker, Outcome
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload

_OWN: Final = "casemate.dev/"


class Fits:
    """Asks `decide` about workloads of the same surroundings."""

    def __init__(self, surroundings: Surroundings, catalogue: Catalogue) -> None:
        self._surroundings = surroundings
        self._questions = Questions()
        self._criteria = need.criteria(catalogue, self._questions)
        self._cases = Cases(catalogue, surroundings, None, self._questions)

    def read(self, workload: Workload, labels: Mapping[str, str] | None) -> Read:
        """The workload's facts, once for all classes."""
        namespaces = {workload.namespace: dict(labels or {})}
        facts = gather(workload, replace(self._surroundings, namespaces=namespaces))
        return Read(workload, facts, self._questions.answers(facts))

    def breaks(self, read: Read, name: str) -> tuple[Blocker, ...]:
        """What would fail under a class."""
        if not name:
            return ()
        case = self._cases.case(read, self._cases.resolve(_under(read.workload, name)))
        return tuple(each for each in case.blockers if each.outcome is Outcome.FAILS)

    def need(self, read: Read, labels: Mapping[str, str] | None, name: str) -> Boundary:
        """What it needs; under a class, as known faults of its runtime count."""
        needed = self._need(read, name)
        modest = _silent(read.workload)
        return needed if modest is read.workload else max(needed, self._need(self.read(modest, labels), name))

    def _need(self, read: Read, name: str) -> Boundary:
        answers = self._cases.answers(read, self._cases.resolve(_under(read.workload, name)))
        return need.need(answers, self._criteria, need.profile(answers, self._criteria)).boundary


def _silent(workload: Workload) -> Workload:
    """The workload without what it says of itself; the same one when it says nothing."""
    both = (workload.metadata.labels, workload.object_labels)
    inner, outer = ({key: text for key, text in each.items() if not key.startswith(_OWN)} for each in both)
    if (inner, outer) == both:
        return workload
    return replace(workload, metadata=replace(workload.metadata, labels=inner), object_labels=outer)


def _under(workload: Workload, name: str) -> Workload:
    return replace(workload, spec=replace(workload.spec, runtimeClassName=name or None))
