"""The assessment of a workload: need, has, what closes the gap, what would break, which escapes are stopped.

1. Everything is decided from the answers to the catalogue's questions, so workloads that answer alike are decided once.
2. An assessor holds what is compiled of one catalogue and known of the same surroundings. It reads and writes nothing,
   and what it decides of one workload does not depend on which others it saw.
3. Paths lead from the object that holds the Pod's specification. They may name a field that is not there yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec.structs import replace

from casemate.catalogue.rows import Profile
from casemate.catalogue.tables import Catalogue
from casemate.decide import findings, need, recommend
from casemate.decide.candidates import cost
from casemate.decide.cases import Cases, Otherwise, Read, from_object
from casemate.decide.classes import Resolved
from casemate.decide.facts import Places
from casemate.decide.predicates import Questions
from casemate.decide.recommend import Case, Choice
from casemate.model.assessment import Assessed, Blocker, Escapes, Finding, Has, Need, Outcome, Recommendation
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload

_KEPT: Final = 20_000

_Signature: TypeAlias = tuple[Resolved, str, tuple[tuple[str, str], ...], tuple[tuple[int, Places], ...]]


@dataclass(frozen=True, slots=True)
class _Decision:
    """Everything of an assessment but the workload itself."""

    need: Need
    has: Has
    recommendation: Recommendation
    blockers: tuple[Blocker, ...]
    findings: tuple[Finding, ...]
    escapes: Escapes


class Assessor:
    """Assesses workloads of the same surroundings against one catalogue.

    `permitted` names the classes or runtimes that may be recommended, None all; the default handler's class is "".
    """

    def __init__(
        self, catalogue: Catalogue, surroundings: Surroundings, permitted: Sequence[str] | None = None
    ) -> None:
        self._questions = Questions()
        self._criteria = need.criteria(catalogue, self._questions)
        self._weaknesses = findings.weaknesses(catalogue, self._questions)
        self._cases = Cases(catalogue, surroundings, permitted, self._questions)
        self._decided: dict[_Signature, _Decision] = {}

    def assess(self, workload: Workload) -> Assessed:
        """The assessment of one workload. Suppressions are for the exceptions to add."""
        read, resolved = self._cases.read(workload), self._cases.resolve(workload)
        answers = self._cases.answers(read, resolved)
        signature = (resolved, workload.path, read.mistyped, tuple(answers.items()))
        decision = self._decided.get(signature)
        if decision is None:
            if len(self._decided) >= _KEPT:
                self._decided.clear()
            decision = self._decided[signature] = self._decide(read, self._cases.case(read, resolved, answers))
        return Assessed(
            workload=workload,
            need=decision.need,
            has=decision.has,
            recommendation=decision.recommendation,
            blockers=decision.blockers,
            findings=decision.findings,
            escapes=decision.escapes,
        )

    def _decide(self, read: Read, now: Case) -> _Decision:
        profile = need.profile(now.answers, self._criteria)
        answers = self._questions.also(now.answers, "profile", profile.id) if profile else now.answers
        needed = need.need(answers, self._criteria, profile)
        needed = replace(needed, reasons=from_object(needed.reasons, read.workload.path))
        bound = findings.binding(answers, self._weaknesses, profile)
        choice = recommend.choose(now, needed, Otherwise(self._cases, read, now), bound)
        then = choice.case
        if now.has.boundary < needed.boundary:
            answers = self._questions.also(answers, "below-need")
        fixed = self._fixed(now, then) if then.hardened else ()
        price = cost(then.runtime, then.resolved.document)
        return _Decision(
            need=needed,
            has=now.has,
            recommendation=recommend.recommendation(choice, now, fixed, price),
            blockers=_blockers(now, choice),
            findings=findings.findings(answers, self._weaknesses, _behind(read, now, profile)),
            escapes=self._escapes(now, then),
        )

    def _escapes(self, now: Case, then: Case) -> Escapes:
        before = self._cases.verdicts(now)
        return self._cases.references.compare(before, before if then is now else self._cases.verdicts(then))

    def _fixed(self, now: Case, then: Case) -> tuple[str, ...]:
        """The rules that hold now and no more afterwards."""
        before, after = (findings.holding(case.answers, self._weaknesses) for case in (now, then))
        return tuple(rule.id for rule, _ in self._weaknesses.rules if rule.id in before - after)


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


def _behind(read: Read, now: Case, profile: Profile | None) -> findings.Behind:
    families = now.runtime.families if now.runtime else ()
    return findings.Behind(
        boundary=now.has.boundary,
        family=families[0] if families else None,
        profile=profile,
        containers=tuple(read.facts.containers),
        mistyped=read.mistyped,
        root=read.workload.path,
    )


def _blockers(now: Case, choice: Choice) -> tuple[Blocker, ...]:
    """What does not simply work: where it runs today, under what was passed over, and under what is recommended."""
    today = (each for each in now.blockers if each.outcome is not Outcome.UNTESTED)
    passed = (each for case in choice.rejected for each in case.blockers if each.outcome is Outcome.FAILS)
    return tuple(dict.fromkeys((*today, *passed, *choice.case.blockers)))
