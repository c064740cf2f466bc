"""The assessment of a workload: need, has, what closes the gap, what would break, which escapes are stopped.

1. Everything is decided from the answers to the catalogue's questions, so workloads that answer alike are decided once.
2. An assessor holds what is compiled of one catalogue and known of the same surroundings. It reads and writes nothing,
   and what it decides of one workload does not depend on which others it saw.
3. Every option is the same workload, decided again under another class or hardened.
4. Paths lead from the object that holds the Pod's specification. They may name a field that is not there yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec.structs import replace

from casemate.catalogue.rows import Escape, Profile
from casemate.catalogue.tables import Catalogue
from casemate.decide import escapes, findings, fit, has, need, recommend
from casemate.decide.candidates import candidates, cost
from casemate.decide.classes import Classes, Resolved
from casemate.decide.facts import Facts, Places
from casemate.decide.gather import gather
from casemate.decide.hardened import hardened
from casemate.decide.predicates import Answers, Questions
from casemate.decide.recommend import Case, Choice
from casemate.model.assessment import (
    Assessed,
    Blocker,
    Escapes,
    Finding,
    Has,
    Need,
    Outcome,
    Reason,
    Recommendation,
)
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload

_KEPT: Final = 20_000

_Signature: TypeAlias = tuple[Resolved, str, tuple[tuple[int, Places], ...]]


@dataclass(frozen=True, slots=True)
class _Decision:
    """Everything of an assessment but the workload itself."""

    need: Need
    has: Has
    recommendation: Recommendation
    blockers: tuple[Blocker, ...]
    findings: tuple[Finding, ...]
    escapes: Escapes


@dataclass(frozen=True, slots=True)
class _Read:
    """A workload with its facts, and the answers that do not depend on its class."""

    workload: Workload
    facts: Facts
    answers: Answers


class Assessor:
    """Assesses workloads of the same surroundings against one catalogue.

    `permitted` names the classes or runtimes that may be recommended, None all; the default handler's class is "".
    """

    def __init__(
        self, catalogue: Catalogue, surroundings: Surroundings, permitted: Sequence[str] | None = None
    ) -> None:
        questions = Questions()
        self._catalogue = catalogue
        self._surroundings = surroundings
        self._permitted = permitted
        self._questions = questions
        self._criteria = need.criteria(catalogue, questions)
        self._boundary = has.rules(questions)
        self._weaknesses = findings.weaknesses(catalogue, questions)
        self._fits = fit.fits(catalogue, questions)
        self._references = escapes.references(catalogue, questions)
        self._classes = Classes(catalogue, surroundings)
        self._candidates = candidates(catalogue, self._classes, surroundings, permitted)
        self._decided: dict[_Signature, _Decision] = {}

    def assess(self, workload: Workload) -> Assessed:
        """The assessment of one workload. Suppressions are for the exceptions to add."""
        read = self._read(workload)
        resolved = self._classes.resolve(workload.spec.runtimeClassName or "", workload.spec)
        answers = self._under(read, resolved)
        signature = (resolved, workload.path, tuple(answers.items()))
        decision = self._decided.get(signature)
        if decision is None:
            if len(self._decided) >= _KEPT:
                self._decided.clear()
            decision = self._decided[signature] = self._decide(read, self._case(read, resolved, answers))
        return Assessed(
            workload=workload,
            need=decision.need,
            has=decision.has,
            recommendation=decision.recommendation,
            blockers=decision.blockers,
            findings=decision.findings,
            escapes=decision.escapes,
        )

    def _read(self, workload: Workload) -> _Read:
        facts = gather(workload, self._surroundings)
        return _Read(workload, facts, self._questions.answers(facts))

    def _under(self, read: _Read, resolved: Resolved) -> Answers:
        """All answers, with those about a class."""
        about = resolved.facts(read.workload.spec, wasm_only="wasm-only" in read.facts.marks)
        return {**read.answers, **self._questions.answers(about)}

    def _case(self, read: _Read, resolved: Resolved, answers: Answers, *, changed: bool = False) -> Case:
        root = read.workload.path
        broken = escapes.broken(resolved, answers, self._references, self._catalogue)
        bounded = has.has(resolved, answers, self._boundary, broken)
        found: tuple[Blocker, ...] = ()
        if resolved.row:
            stands = fit.families(resolved.row, user_namespace="user-namespace" in read.facts.marks)
            found = fit.blockers(fit.features(answers, self._fits), resolved.row, stands, root)
        rooted = replace(bounded, reasons=_rooted(bounded.reasons, root))
        return Case(resolved, answers, rooted, found, hardened=changed)

    def _decide(self, read: _Read, now: Case) -> _Decision:
        profile = need.profile(now.answers, self._criteria)
        answers = self._questions.also(now.answers, "profile", profile.id) if profile else now.answers
        needed = need.need(answers, self._criteria, profile)
        needed = replace(needed, reasons=_rooted(needed.reasons, read.workload.path))
        gap = now.has.boundary < needed.boundary
        options = self._options(read, now) if gap else iter(())
        choice = recommend.choose(now, needed, self._hardened(read, now) if gap else None, options)
        price = cost(choice.case.runtime, choice.case.resolved.document)
        final = self._questions.also(answers, "below-need") if gap else answers
        return _Decision(
            need=needed,
            has=now.has,
            recommendation=recommend.recommendation(choice, now, self._fixed(now, choice.case), price),
            blockers=_blockers(now, choice),
            findings=findings.findings(final, self._weaknesses, _behind(read, now, profile)),
            escapes=escapes.compare(self._verdicts(now), self._verdicts(choice.case)),
        )

    def _hardened(self, read: _Read, now: Case) -> Case | None:
        """The workload hardened where it runs; under the default handler when its class is no class at all."""
        resolved = now.resolved
        if "class-missing" in resolved.marks:
            resolved = self._classes.resolve("", read.workload.spec)
        if resolved.row is None or resolved.row.boundary > Boundary.HARDENED or not self._permits(resolved):
            return None
        changed = self._read(hardened(read.workload))
        return self._case(changed, resolved, self._under(changed, resolved), changed=True)

    def _permits(self, resolved: Resolved) -> bool:
        names = {resolved.name, resolved.row.id if resolved.row else resolved.name}
        return self._permitted is None or not names.isdisjoint(self._permitted)

    def _options(self, read: _Read, now: Case) -> Iterator[Case]:
        """The workload under every other class that may be recommended."""
        spec = read.workload.spec
        for candidate in self._candidates:
            if candidate.name == now.resolved.name and now.resolved.starts:
                continue
            if candidate.modules_only and "wasm-only" not in read.facts.marks:
                continue
            known = candidate.offered
            resolved = self._classes.resolve(candidate.name, spec) if known else self._classes.promised(candidate.name)
            answers = self._under(read, resolved)
            case = self._case(read, resolved, answers)
            yield Case(resolved, answers, case.has, case.blockers, installed=candidate.installed)

    def _fixed(self, now: Case, then: Case) -> tuple[str, ...]:
        """The rules that hold now and no more afterwards."""
        if not then.hardened:
            return ()
        before, after = (findings.holding(case.answers, self._weaknesses) for case in (now, then))
        return tuple(rule.id for rule, *_ in self._weaknesses.rules if rule.id in before - after)

    def _verdicts(self, case: Case) -> Iterator[tuple[Escape, escapes.Verdict]]:
        up = escapes.defences(case.resolved, case.has.boundary, case.answers, self._references)
        return escapes.verdicts(case.resolved, up, case.answers, self._references)


def assess(
    workload: Workload, surroundings: Surroundings, catalogue: Catalogue, permitted: Sequence[str] | None = None
) -> Assessed:
    """The assessment of one workload. Assessors are kept for the next call with the same surroundings and catalogue."""
    key = (id(surroundings), id(catalogue), None if permitted is None else tuple(permitted))
    kept = _ASSESSORS.get(key)
    if kept is None:
        if len(_ASSESSORS) >= _KEPT_ASSESSORS:
            _ASSESSORS.clear()
        # Holding both objects keeps their ids from naming others.
        kept = _ASSESSORS[key] = (Assessor(catalogue, surroundings, permitted), surroundings, catalogue)
    return kept[0].assess(workload)


_KEPT_ASSESSORS: Final = 8
_ASSESSORS: Final[dict[tuple[object, ...], tuple[Assessor, Surroundings, Catalogue]]] = {}


def _behind(read: _Read, now: Case, profile: Profile | None) -> findings.Behind:
    families = now.runtime.families if now.runtime else ()
    return findings.Behind(
        boundary=now.has.boundary,
        family=families[0] if families else None,
        profile=profile,
        containers=tuple(read.facts.containers),
        root=read.workload.path,
    )


def _blockers(now: Case, choice: Choice) -> tuple[Blocker, ...]:
    """What does not simply work: where it runs today, under what was passed over, and under what is recommended."""
    today = (each for each in now.blockers if each.outcome is not Outcome.UNTESTED)
    passed = (each for case in choice.rejected for each in case.blockers if each.outcome is Outcome.FAILS)
    return tuple(dict.fromkeys((*today, *passed, *choice.case.blockers)))


def _rooted(reasons: Iterable[Reason], root: str) -> tuple[Reason, ...]:
    return tuple(replace(each, path=findings.under(root, each.path)) if each.path else each for each in reasons)
