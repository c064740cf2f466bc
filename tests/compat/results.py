"""Results as `src/casemate/catalogue/tested.yaml` has them, and where they contradict the table of fits.

1. runc and crun are one family: they agree in a row that names both versions; where they do not, there is none, and it
   is reported.
2. A result contradicts the table when the table says works, differs or fails, and the run showed another of them.
3. Rows that were not run again stay as they are.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from probes import Verdict

from casemate.catalogue.rows import Family, Fit, Tested
from casemate.catalogue.runtimes import load
from casemate.model.assessment import Outcome
from casemate.model.handler import Handler

HEADER = """# What real runs on casemate's engine showed of the fits: outcome, version, date. `make compat` writes it.
"""


@dataclass(frozen=True)
class Result:
    """A probe's verdict under one handler."""

    fit: str
    handler: Handler
    verdict: Verdict

    @property
    def families(self) -> tuple[Family, ...]:
        row = load().of_handler(self.handler.name)
        assert row is not None
        return row.families


def as_rows(results: Iterable[Result], fits: Sequence[Fit], today: datetime.date) -> Iterator[Tested]:
    """One row for each fit and family (rule 1). What contradicts the table says in its own words what was seen."""
    rows = {row.id: row for row in fits}
    grouped: dict[tuple[str, Family], list[Result]] = {}
    for each in results:
        grouped.setdefault((each.fit, each.families[0]), []).append(each)
    for (fit, family), found in grouped.items():
        if len({each.verdict.outcome for each in found}) == 1:
            versions = ", ".join(f"{each.handler.name} {each.handler.version}" for each in found)
            seen = found[0].verdict
            words = seen.text if _contradicts(found[0], rows[fit]) else ""
            yield Tested(fit=fit, family=family, outcome=seen.outcome, version=versions, date=today, text=words)


def contradictions(results: Iterable[Result], fits: Sequence[Fit]) -> Iterator[str]:
    """What the runs showed otherwise than the table says (rule 2)."""
    rows = {row.id: row for row in fits}
    for each in results:
        cell = rows[each.fit].cell(each.families)
        if _contradicts(each, rows[each.fit]):
            said = f"{cell.outcome} ({cell.text})" if cell.text else str(cell.outcome)
            found = f"{each.verdict.outcome} ({each.verdict.text})"
            yield f"{each.fit} under {each.handler.name}: the catalogue says {said}, the run showed {found}"


def _contradicts(result: Result, row: Fit) -> bool:
    return row.cell(result.families).outcome not in (result.verdict.outcome, Outcome.UNTESTED)


def disagreements(results: Iterable[Result]) -> Iterator[str]:
    """Where runc and crun do not agree (rule 1)."""
    first: dict[tuple[str, Family], Result] = {}
    for each in results:
        other = first.setdefault((each.fit, each.families[0]), each)
        if other.verdict.outcome is not each.verdict.outcome:
            seen = (f"{one.handler.name} {one.verdict.outcome}" for one in (other, each))
            yield f"{each.fit}: {', '.join(seen)}"


def merged(old: Iterable[Tested], new: Iterable[Tested]) -> tuple[Tested, ...]:
    """The rows with the new ones in their places (rule 3), by fit as a person would order them."""
    rows = {(each.fit, each.family): each for each in (*old, *new)}
    return tuple(sorted(rows.values(), key=lambda each: (_number(each.fit), each.fit, each.family)))


def text(rows: Iterable[Tested]) -> str:
    """The file."""
    lines = [f"- {_flow(msgspec.to_builtins(each))}" for each in rows]
    return HEADER + "\n".join(lines or ["[]"]) + "\n"


def _flow(row: dict[str, object]) -> str:
    words = {key: "differs" if value == Outcome.DIFFERS else str(value) for key, value in row.items() if value}
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in words.items()) + "}"


def _scalar(value: str) -> str:
    plain = all(char.isalnum() or char in "-." for char in value)
    return value if plain else msgspec.json.encode(value).decode()


def _number(fit: str) -> int:
    digits = "".join(char for char in fit if char.isdigit())
    return int(digits) if digits else 0
