"""Weaknesses of a manifest, and what they still mean behind the workload's boundary.

1. A rule is a finding at each place where it holds; where it says only that something is missing, at the rule's own
   path, once for each container when that has `containers[*]`.
2. What a finding means depends on the boundary that the workload has, not the one that its class promises; behind an
   unknown boundary everything matters.
3. What the recognised profile's work needs is still a finding, of reduced relevance: it says what the work costs.
4. The finding that the boundary is below need is the gap itself.
5. A label that casemate does not know is a finding for each, with its text and what was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from casemate.catalogue.conditions import Is, asked
from casemate.catalogue.rows import Family, Profile, Rule
from casemate.catalogue.tables import Catalogue
from casemate.decide.facts import POD, Places
from casemate.decide.predicates import Answers, Questions, Table
from casemate.model.assessment import Finding, Relevance
from casemate.model.boundary import Boundary

_EACH = "containers[*]"
_MISTYPED = Is("unknown-label")


@dataclass(frozen=True, slots=True)
class Weaknesses:
    """All rules, compiled. The second part of each: it is the gap's own rule."""

    rules: tuple[tuple[Rule, bool], ...]
    table: Table


def weaknesses(catalogue: Catalogue, questions: Questions) -> Weaknesses:
    """Compile the rules among the other questions."""
    gaps = (any(each.predicate == "below-need" for each in asked(rule.when)) for rule in catalogue.rules)
    rules = tuple(zip(catalogue.rules, gaps, strict=True))
    return Weaknesses(rules, questions.table(rule.when for rule in catalogue.rules))


def holding(answers: Answers, compiled: Weaknesses) -> frozenset[str]:
    """The ids of the rules that hold."""
    return frozenset(compiled.rules[index][0].id for index in compiled.table.which(answers))


def binding(answers: Answers, compiled: Weaknesses, profile: Profile | None) -> str:
    """Why the work of a profile ties it to the node: it accepts a rule that holds and is about what is the node's."""
    if profile is None or not profile.accepts:
        return ""
    held = (compiled.rules[index][0] for index in compiled.table.which(answers))
    accepted = (rule for rule in held if rule.id in profile.accepts)
    return profile.text if any({each.predicate for each in asked(rule.when)} & _NODES for rule in accepted) else ""


_NODES = frozenset(
    {"host-door", "host-path", "host-path-writable", "host-socket", "host-network", "host-pid", "host-ipc"}
)


@dataclass(frozen=True, slots=True)
class Behind:
    """Where a workload stands: its boundary, its runtime's family, its profile, and its containers' paths."""

    boundary: Boundary
    family: Family | None
    profile: Profile | None
    containers: tuple[str, ...]
    root: str
    mistyped: tuple[tuple[str, str], ...] = ()


def findings(answers: Answers, compiled: Weaknesses, behind: Behind) -> tuple[Finding, ...]:
    """All findings of a workload with these answers, what matters most first."""
    found = [
        finding
        for index, places in compiled.table.holding(answers)
        for finding in _findings(*compiled.rules[index], places, behind)
    ]
    order = list(Relevance)
    return tuple(sorted(found, key=lambda finding: (not finding.gap, order.index(finding.relevance))))


def _findings(rule: Rule, gap: bool, places: Places, behind: Behind) -> Iterator[Finding]:
    relevance = rule.relevance.behind(behind.boundary, behind.family)
    message = rule.message
    if behind.profile and rule.id in behind.profile.accepts:
        message += f"; the work of this {behind.profile.title.lower()} needs it"
        relevance = Relevance.REDUCED if relevance is Relevance.MATTERS else relevance
    if rule.when == _MISTYPED:
        for text, place in behind.mistyped:
            path, said = under(behind.root, place), f"{message}: {text}"
            yield Finding(rule=rule.id, message=said, relevance=relevance, path=path, fix=rule.fix, gap=gap)
        return
    for place in where(places, rule.path, behind.containers):
        path = under(behind.root, place)
        yield Finding(rule=rule.id, message=message, relevance=relevance, path=path, fix=rule.fix, gap=gap)


def where(places: Places, fallback: str, containers: Iterable[str]) -> Places:
    """The places of a finding (rule 1)."""
    if places != POD or not fallback:
        return places
    if _EACH not in fallback:
        return (fallback,)
    return tuple(fallback.replace(_EACH, container) for container in containers)


def under(root: str, place: str) -> str:
    """A place in the Pod's specification, or in the metadata beside it, as a path from the object that holds it."""
    if place.startswith("metadata."):
        return root.removesuffix("spec") + place
    return f"{root}.{place}" if place and root else place
