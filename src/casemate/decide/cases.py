"""The same workload under one class or another: what it would have there, and what would break.

1. What does not depend on the class is read and asked once.
2. A class that the surroundings have is resolved among their nodes; one of the catalogue is taken at its word, as if it
   were installed.
3. Hardening is tried where the workload runs, on a shared kernel; under the default handler when its class is no class.
4. Runtimes for Wasm are options only for workloads of which every image is known to be a module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.decide import fit, has
from casemate.decide.candidates import candidates
from casemate.decide.classes import Classes, Resolved
from casemate.decide.escapes import References, Verdicts
from casemate.decide.facts import Facts
from casemate.decide.findings import under
from casemate.decide.gather import gather
from casemate.decide.hardened import hardened
from casemate.decide.own_labels import OwnLabels
from casemate.decide.predicates import Answers, Questions
from casemate.decide.recommend import Case
from casemate.model.assessment import Blocker, Reason
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload

_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Read:
    """A workload with its facts, and the answers that do not depend on its class."""

    workload: Workload
    facts: Facts
    answers: Answers

    @property
    def mistyped(self) -> tuple[tuple[str, str], ...]:
        """Labels of casemate's that say nothing to it, and their places."""
        return self.facts.values.get("unknown-label", ())

    @property
    def wasm_only(self) -> bool:
        """Whether every image is known to be a Wasm module."""
        return "wasm-only" in self.facts.marks


class Cases:
    """Decides cases among the same surroundings."""

    def __init__(
        self,
        catalogue: Catalogue,
        surroundings: Surroundings,
        permitted: Sequence[str] | None,
        questions: Questions,
    ) -> None:
        self._surroundings = surroundings
        self._permitted = permitted
        self._questions = questions
        self._boundary = has.rules(questions)
        self._fits = fit.Fits(catalogue, questions)
        self.references = References(catalogue, questions)
        self._classes = Classes(catalogue, surroundings)
        self._candidates = candidates(catalogue, self._classes, surroundings, permitted)
        self._about: dict[tuple[Resolved, bool], Answers] = {}
        self._labels = OwnLabels(catalogue)

    def read(self, workload: Workload) -> Read:
        """The workload's facts and what they answer."""
        facts = gather(workload, self._surroundings)
        self._labels.note(facts, workload, self._surroundings.namespaces.get(workload.namespace, {}))
        return Read(workload, facts, self._questions.answers(facts))

    def resolve(self, workload: Workload) -> Resolved:
        """What the workload's class resolves to."""
        return self._classes.resolve(workload.spec.runtimeClassName or "", workload.spec)

    def answers(self, read: Read, resolved: Resolved) -> Answers:
        """All answers, with those about a class."""
        spec = read.workload.spec
        if spec.overhead or (spec.nodeSelector and resolved.selector):  # They may contradict the class's.
            return {**read.answers, **self._questions.answers(resolved.facts(spec, wasm_only=read.wasm_only))}
        key = (resolved, read.wasm_only)
        if key not in self._about:
            if len(self._about) >= _KEPT:
                self._about.clear()
            self._about[key] = self._questions.answers(resolved.facts(spec, wasm_only=read.wasm_only))
        return {**read.answers, **self._about[key]}

    def case(
        self,
        read: Read,
        resolved: Resolved,
        answers: Answers | None = None,
        features: fit.Features | None = None,
        *,
        hardened: bool = False,
        installed: bool = True,
        offered: bool = False,
    ) -> Case:
        """The workload under a class; `answers` and `features` where they are known already."""
        answers = self.answers(read, resolved) if answers is None else answers
        root = read.workload.path
        bounded = has.has(resolved, answers, self._boundary, self.references.broken(resolved, answers))
        found: tuple[Blocker, ...] = ()
        if resolved.row:
            features = self._fits.features(read.answers) if features is None else features
            mapped = "user-namespace" in read.facts.marks
            found = self._fits.blockers(features, answers, resolved.row, root, user_namespace=mapped)
        rooted = replace(bounded, reasons=from_object(bounded.reasons, root))
        return Case(resolved, answers, rooted, found, hardened=hardened, installed=installed, offered=offered)

    def verdicts(self, case: Case) -> Verdicts:
        """What becomes of the reference escapes in a case."""
        up = self.references.defences(case.resolved, case.has.boundary, case.answers)
        return self.references.verdicts(case.resolved, up, case.answers)

    def hardened(self, read: Read, now: Case) -> Case | None:
        """The workload hardened (rule 3); None where its kernel is not shared, or the class not permitted."""
        spec, resolved = read.workload.spec, now.resolved
        if "class-missing" in resolved.marks:
            resolved = self._classes.resolve("", spec)
        if resolved.row is None or resolved.row.boundary > Boundary.HARDENED or not self._permits(resolved):
            return None
        return self.case(self.read(hardened(read.workload)), resolved, hardened=True)

    def others(self, read: Read, now: Case, least: Boundary, most: Boundary) -> Iterator[Case]:
        """The workload under the other classes of these boundaries, cheapest first."""
        spec, features = read.workload.spec, self._fits.features(read.answers)
        for each in self._candidates:
            if not least <= each.runtime.boundary <= most or (each.name == now.resolved.name and now.resolved.starts):
                continue
            if each.modules_only and not read.wasm_only:
                continue
            resolved = self._classes.resolve(each.name, spec) if each.offered else self._classes.promised(each.name)
            offered = each.offered or self._permitted is not None
            yield self.case(read, resolved, None, features, installed=each.installed, offered=offered)

    def _permits(self, resolved: Resolved) -> bool:
        names = {resolved.name, resolved.row.id if resolved.row else resolved.name}
        return self._permitted is None or not names.isdisjoint(self._permitted)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The options of one workload, decided when the recommendation asks for them."""

    cases: Cases
    read: Read
    now: Case

    def hardened(self) -> Case | None:
        """Hardened, where it runs."""
        return self.cases.hardened(self.read, self.now)

    def within(self, least: Boundary, most: Boundary) -> Iterator[Case]:
        """Under the other runtimes of these boundaries."""
        return self.cases.others(self.read, self.now, least, most)


def from_object(reasons: Iterable[Reason], root: str) -> tuple[Reason, ...]:
    """Reasons with paths from the object that holds the Pod's specification."""
    return tuple(replace(each, path=under(root, each.path)) if each.path else each for each in reasons)
