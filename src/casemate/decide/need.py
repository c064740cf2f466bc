"""Which boundary a workload should have.

1. Need is a sum of points, from 0 to 100, each with its reason: criteria that hold, and the first profile that fits.
   Below 25 it is `shared`, below 45 `hardened`, below 70 `sandbox`, else `vm` (NIST SP 800-190 and Kubernetes' text on
   multi-tenancy give the order of the criteria; the weights are our judgement and say so).
2. A criterion may force a minimum, whatever the sum. `confidential` is only ever forced: keeping a secret from the node
   is another wish than keeping the node from the workload.
3. The owner outranks our guesses. Label `casemate.dev/need` on the namespace, the object or the Pod template sets the
   boundary; of several, the strictest counts, and it is never below what other labels force, so that a Pod cannot talk
   itself out of what its namespace says (`casemate.dev/tenancy`, `casemate.dev/trust`, `casemate.dev/data`).
4. Where `casemate.dev/trust` says `internal` or `system`, and nothing says `untrusted` or `third-party`, only what
   labels force counts: guesses add points, but force nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from casemate.catalogue.conditions import AllOf, AnyOf, Is, Not, When, asked
from casemate.catalogue.rows import Criterion, Profile
from casemate.catalogue.tables import Catalogue
from casemate.decide.predicates import Answers, Condition, Questions, Table
from casemate.model.assessment import Need, Reason
from casemate.model.boundary import Boundary

NEED_LABEL: Final = "casemate.dev/need"
TRUST_LABEL: Final = "casemate.dev/trust"

_THRESHOLDS: Final = ((70, Boundary.VM), (45, Boundary.SANDBOX), (25, Boundary.HARDENED), (0, Boundary.SHARED))
_SAID: Final = frozenset({"label", "namespace-label"})


@dataclass(frozen=True, slots=True)
class Criteria:
    """Criteria and profiles, compiled. The second part of a criterion: a label says it."""

    profiles: tuple[Profile, ...]
    recognising: Table
    criteria: tuple[tuple[Criterion, bool], ...]
    raising: Table
    labelled: tuple[tuple[Boundary, Condition], ...]
    trusted: Condition


def criteria(catalogue: Catalogue, questions: Questions) -> Criteria:
    """Compile what need is made of among the other questions."""
    ours, others = labelled(TRUST_LABEL, "internal", "system"), labelled(TRUST_LABEL, "untrusted", "third-party")
    return Criteria(
        catalogue.profiles,
        questions.table(row.when for row in catalogue.profiles),
        tuple((row, _is_said(row.when)) for row in catalogue.criteria),
        questions.table(row.when for row in catalogue.criteria),
        tuple(
            (each, questions.condition(labelled(NEED_LABEL, str(each))))
            for each in sorted(Boundary, reverse=True)
            if each is not Boundary.UNKNOWN
        ),
        questions.condition(AllOf((ours, Not(others)))),
    )


def labelled(key: str, *values: str) -> When:
    """A label of one of these values, on the Pod template, its object or its namespace."""
    arguments = tuple(f"{key}={value}" for value in values)
    return AnyOf((Is("label", arguments), Is("namespace-label", arguments)))


def _is_said(when: When) -> bool:
    return {each.predicate for each in asked(when)} <= _SAID


def profile(answers: Answers, compiled: Criteria) -> Profile | None:
    """The first profile that fits."""
    return next((compiled.profiles[index] for index in compiled.recognising.which(answers)), None)


def need(answers: Answers, compiled: Criteria, recognised: Profile | None) -> Need:
    """What a workload with these answers needs."""
    rows = [(*compiled.criteria[index], places) for index, places in compiled.raising.holding(answers)]
    reasons = [_reason(row, places[0]) for row, _, places in rows]
    trusted = bool(compiled.trusted(answers))
    forces = [(row.force, row.id) for row, said, _ in rows if row.force is not None and (said or not trusted)]
    if recognised:
        reasons.insert(0, _reason(recognised, ""))
        if recognised.force is not None and not trusted:
            forces.append((recognised.force, recognised.id))
    score = min(100, max(0, sum(reason.points for reason in reasons)))
    forced = max((force for force, _ in forces), default=None)
    boundary = max(of_score(score), forced or Boundary.SHARED)
    first = {row_id for force, row_id in forces if force is forced}
    ordered = sorted(reasons, key=lambda reason: (reason.id not in first, -reason.points))
    least = max((row.force for row, said, _ in rows if said and row.force is not None), default=Boundary.SHARED)
    return _owned(answers, compiled, Need(boundary=boundary, score=score, forced=forced, reasons=tuple(ordered)), least)


def of_score(score: int) -> Boundary:
    """The boundary that a sum of points asks for."""
    return next(boundary for least, boundary in _THRESHOLDS if score >= least)


def _owned(answers: Answers, compiled: Criteria, guessed: Need, least: Boundary) -> Need:
    """The need that the owner's label sets, with what would have been without it; other labels force `least`."""
    said = next((boundary for boundary, holds in compiled.labelled if holds(answers)), None)
    if said is None:
        return guessed
    text = f"its owner says so: {NEED_LABEL}={said}"
    if said < least:
        text += f" (but another label forces {least})"
    elif said is not guessed.boundary:
        text += f" (without the label: {guessed.boundary})"
    return Need(
        boundary=max(said, least),
        score=guessed.score,
        forced=max(said, least),
        reasons=(Reason(id="owner-need", text=text), *guessed.reasons),
    )


def _reason(row: Criterion, place: str) -> Reason:
    return Reason(id=row.id, text=row.text, points=row.points, path=place or row.path.replace("[*]", "[0]"))
