"""An assessment as all reports show it: which findings count, and what state that leaves each workload in.

1. A finding is accepted when one of the workload's suppressions has its rule; known when the baseline has its
   fingerprint. Neither counts any more. Findings that do not apply behind the boundary never count.
2. A workload is in state `gap` when its boundary is below need and that is neither accepted nor known; `weak` when
   findings are asked to fail and one that matters counts; `known` or `accepted` when its gap is; else `ok`.
3. What failed comes first, the widest gap before others; the order never depends on the input's.
4. `never` fails nothing; states stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import msgspec

from casemate.model.acceptance import AuditedException, ExceptionStatus
from casemate.model.assessment import Assessed, Finding, Relevance, Suppression
from casemate.model.fingerprint import fingerprints, known

STOPPED = frozenset({"stopped", "n-a"})
"""What counts as stopped: also what cannot happen at all (`n-a`), since no escape is open there."""


class FailOn(StrEnum):
    """What makes an assessment fail."""

    GAP = "gap"
    FINDING = "finding"
    NEVER = "never"


class Standing(StrEnum):
    """How a workload stands, worst first."""

    GAP = "gap"
    WEAK = "weak"
    KNOWN = "known"
    ACCEPTED = "accepted"
    OK = "ok"


SHAPES = {Standing.GAP: "✗", Standing.WEAK: "✗", Standing.KNOWN: "~", Standing.ACCEPTED: "!", Standing.OK: "✓"}
_WORST_FIRST = {standing: place for place, standing in enumerate(Standing)}


@dataclass(frozen=True)
class RuleText:
    """What the reports say of a rule."""

    id: str
    title: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True)
class EscapeText:
    """What the reports say of a reference escape."""

    id: str
    title: str
    url: str = ""


class Judged(msgspec.Struct, frozen=True):
    """A finding as this assessment counts it."""

    finding: Finding
    suppression: Suppression | None
    known: bool

    @property
    def counts(self) -> bool:
        """Whether it is neither accepted, nor known, nor without meaning behind the boundary."""
        return self.suppression is None and not self.known and self.finding.relevance is not Relevance.NOT_APPLICABLE

    @property
    def matters(self) -> bool:
        """Whether it counts in full: the gap, or a weakness that the boundary does not reduce."""
        return self.counts and (self.finding.gap or self.finding.relevance is Relevance.MATTERS)


@dataclass(frozen=True)
class Entry:
    """One workload with its findings, as this assessment counts them."""

    item: Assessed
    findings: tuple[Judged, ...]
    standing: Standing

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """The findings' fingerprints, in their order."""
        return fingerprints(self.item)

    @cached_property
    def weaknesses(self) -> tuple[Judged, ...]:
        """The findings that matter, but the gap itself."""
        return tuple(each for each in self.findings if each.matters and not each.finding.gap)


@dataclass(frozen=True)
class Assessment:
    """Everything that a report may show.

    `missed` says what could not be looked at, so that the assessment is incomplete; `skipped` what was read and is
    nothing to assess, with the reason. `fixed` counts what the baseline had and is gone (None: no baseline),
    `inputs` are the arguments that named what to assess.
    """

    entries: tuple[Entry, ...]
    fail_on: FailOn = FailOn.GAP
    rules: Mapping[str, RuleText] = field(default_factory=dict)
    escapes: Mapping[str, EscapeText] = field(default_factory=dict)
    exceptions: tuple[AuditedException, ...] = ()
    missed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    fixed: int | None = None
    inputs: tuple[str, ...] = ()
    version: str = ""

    @cached_property
    def counts(self) -> Mapping[Standing, int]:
        """How many workloads stand how."""
        found = Counter(entry.standing for entry in self.entries)
        return {standing: found[standing] for standing in Standing}

    def fails(self, entry: Entry) -> bool:
        """Whether this workload makes the assessment fail."""
        return self.fail_on is not FailOn.NEVER and entry.standing in (Standing.GAP, Standing.WEAK)

    @property
    def failed(self) -> bool:
        """Whether any workload does."""
        return any(self.fails(entry) for entry in self.entries)

    def rule(self, rule_id: str) -> RuleText:
        """The texts of a rule; its id alone where there are none."""
        return self.rules.get(rule_id) or RuleText(id=rule_id, title=rule_id)

    def stale(self) -> tuple[AuditedException, ...]:
        """The exceptions that are unused or expired."""
        return tuple(each for each in self.exceptions if each.status is not ExceptionStatus.MATCHED)


def judge(
    items: Iterable[Assessed], fail_on: FailOn = FailOn.GAP, baseline: Collection[str] = frozenset()
) -> tuple[Entry, ...]:
    """The workloads in the order of reports. `baseline` holds fingerprints that are known."""
    return tuple(sorted((_entry(item, fail_on, baseline) for item in items), key=_place))


def gone(entries: Iterable[Entry], baseline: Collection[str]) -> int:
    """How many findings of the baseline are there no more."""
    return len(set(baseline) - {each for entry in entries for each in entry.fingerprints})


def _entry(item: Assessed, fail_on: FailOn, baseline: Collection[str]) -> Entry:
    accepted = {each.rule: each for each in item.suppressions}
    # Fingerprints cost more than all the rest here, and without a baseline few reports need them.
    knows = known(item, baseline) if baseline else (False,) * len(item.findings)
    findings = tuple(
        Judged(finding, accepted.get(finding.rule), each) for finding, each in zip(item.findings, knows, strict=True)
    )
    return Entry(item, findings, _standing(item, findings, fail_on))


def _standing(item: Assessed, findings: tuple[Judged, ...], fail_on: FailOn) -> Standing:
    gap = next((each for each in findings if each.finding.gap), None)
    if item.gap and (gap is None or gap.counts):
        return Standing.GAP
    if fail_on is FailOn.FINDING and any(each.matters for each in findings):
        return Standing.WEAK
    if item.gap and gap is not None:
        return Standing.ACCEPTED if gap.suppression else Standing.KNOWN
    return Standing.OK


def _place(entry: Entry) -> tuple[int, int, int, str, str, str, str]:
    item = entry.item
    source = item.workload.source
    width = item.need.boundary - item.has.boundary
    where = f"{source.file}:{source.line:09}:{source.uid}"
    names = (item.workload.namespace, item.workload.name, item.workload.kind)
    return (_WORST_FIRST[entry.standing], -width, -item.need.score, *names, where)
