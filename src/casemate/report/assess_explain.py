"""Pages that open a workload, a rule, an escape or a class to what stands behind it.

1. A page is a lead, facts by name, and tables; it looks the same whatever it is about.
2. On a terminal everything is wrapped to its width (`casemate.report.wrapping`); nothing is cut.
3. As JSON a workload is what an assessment says of it, with the rows of its escapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.cells import cell_len

from casemate.model.assessment import Assessed, EscapeRow, Need, Reason
from casemate.model.boundary import Boundary
from casemate.model.workload import Workload
from casemate.report.answer import answer, encoded
from casemate.report.assess_document import STOPPED, Entry, Judged
from casemate.report.assess_json import Shared, item_of
from casemate.report.assess_text import place, title, visible
from casemate.report.assess_words import alike, cost, route, within
from casemate.report.wrapping import wrapped

_NARROWEST = 24
_Row = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table: a heading, names of columns, rows. A line feed in a cell begins a new line there."""

    heading: str
    columns: _Row
    rows: tuple[_Row, ...]


@dataclass(frozen=True)
class Page:
    """An explanation of one thing."""

    kind: str
    name: str
    lead: str
    facts: Mapping[str, str] = field(default_factory=dict)
    grids: tuple[Grid, ...] = ()


def page_json(page: Page) -> str:
    """`kind: Explanation` of something in the catalogue."""
    return encoded(
        answer(
            "Explanation",
            of=page.kind,
            name=page.name,
            text=page.lead,
            facts={name: text for name, text in page.facts.items() if text},
            tables=[
                {
                    "name": grid.heading,
                    "rows": [dict(zip(map(_key, grid.columns), row, strict=True)) for row in grid.rows],
                }
                for grid in page.grids
            ],
        )
    )


def _key(column: str) -> str:
    return column.lower().replace(" ", "_")


def workload_json(entry: Entry) -> str:
    """`kind: Explanation` of a workload: its item of the assessment, with the escapes' rows."""
    rows = [
        {"id": row.id, "now": row.now, "after": row.after, "because": row.because} for row in entry.item.escapes.rows
    ]
    document = answer("Explanation", of="workload")
    return encoded({**document, "items": [{**item_of(entry, Shared()), "escapeRows": rows}]})


def page_text(page: Page, width: int = 80) -> str:
    """The page for a terminal."""
    lines = [visible(f"{page.kind} {page.name}" if page.kind else page.name)]
    lines += _wrapped(page.lead, width)
    facts = {name: text for name, text in page.facts.items() if text}
    if facts:
        lines.append("")
        lines += _facts(facts, width)
    for grid in page.grids:
        if grid.rows:
            lines += ["", visible(grid.heading), *_grid(grid, width)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, width: int) -> list[str]:
    return wrapped(visible(text), max(width, _NARROWEST))


def _facts(facts: Mapping[str, str], width: int) -> Iterator[str]:
    margin = max(len(name) for name in facts) + 2
    for name, text in facts.items():
        first, *rest = _wrapped(text, width - margin) or [""]
        yield f"{name:<{margin}}{first}"
        yield from (" " * margin + line for line in rest)


def _grid(grid: Grid, width: int) -> Iterator[str]:
    rows = [tuple(_lines(text) for text in row) for row in (grid.columns, *grid.rows)]
    widths = _widths(rows, width)
    for row in rows:
        columns = [_wrapped_cell(lines, wide) for lines, wide in zip(row, widths, strict=True)]
        for number in range(max(len(column) for column in columns)):
            parts = [column[number] if number < len(column) else "" for column in columns]
            yield "  ".join(_padded(text, wide) for text, wide in zip(parts, widths, strict=True)).rstrip()


def _lines(text: str) -> tuple[str, ...]:
    return tuple(visible(line) for line in text.split("\n"))


def _wrapped_cell(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in wrapped(line, width) or [""]]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _widths(rows: Sequence[Sequence[Sequence[str]]], width: int) -> list[int]:
    """As wide as their texts; when that is too much, the widest give way first."""
    widths = [max(cell_len(line) for lines in column for line in lines) for column in zip(*rows, strict=True)]
    surplus = sum(widths) + 2 * (len(widths) - 1) - width
    while surplus > 0 and max(widths) > _NARROWEST:
        widest = max(range(len(widths)), key=widths.__getitem__)
        second = max((each for place, each in enumerate(widths) if place != widest), default=0)
        cut = min(surplus, max(widths[widest] - max(second, _NARROWEST), 1))
        widths[widest] -= cut
        surplus -= cut
    return widths


def workload_page(entry: Entry, scale: Sequence[tuple[int, Boundary]]) -> Page:
    """A workload with every number opened. `scale` says from how many points a boundary is needed."""
    item = entry.item
    facts = {
        "Found at": place(item.workload.source),
        "Needs": _needs(item.need, scale),
        "Has": f"{item.has.boundary}: {route(item.has)}",
        "Recommended": _recommended(item),
        "Needs consent": ", ".join(item.recommendation.differs),
        "Hardening": ", ".join(item.recommendation.hardening),
        "Cost per Pod": cost(item.recommendation.cost),
        "Escapes": f"{item.escapes.now} of {item.escapes.total} stopped now, {item.escapes.after} after",
    }
    return Page("", title(item.workload), item.recommendation.sentence, facts, tuple(_grids(entry)))


def _needs(need: Need, scale: Sequence[tuple[int, Boundary]]) -> str:
    total = sum(each.points for each in need.reasons)
    clamped = "" if total == need.score else f" (the sum is {total}, the score 0 to 100)"
    forced = f"; at least {need.forced} whatever the sum" if need.forced is not None else ""
    return f"{need.boundary}: {need.score} points{clamped}, where {_scale(scale)}{forced}"


def _scale(scale: Sequence[tuple[int, Boundary]]) -> str:
    rising = sorted(scale)
    below = [f"{boundary} is below {next_}" for (_, boundary), (next_, _) in list(pairwise(rising))[:1]]
    return ", ".join(below + [f"{boundary} from {least}" for least, boundary in rising[1:]])


def _recommended(item: Assessed) -> str:
    use = item.recommendation
    closes = "closes the gap" if use.closes else "the nearest there is"
    what = f"runtimeClassName: {use.runtime_class}" if use.runtime_class else "the class stays"
    return f"{what} ({use.boundary}, {closes})" if item.gap else f"{what} ({use.boundary})"


def _grids(entry: Entry) -> Iterator[Grid]:
    item = entry.item
    summands = _summands(item.need, item.workload)
    yield Grid("Why it needs that", ("POINTS", "CRITERION", "REASON", "FIELD"), summands)
    yield _arguments("Why it has that", item.has.reasons, item.workload)
    yield _arguments("Why that recommendation", item.recommendation.reasons, item.workload)
    blockers = tuple(
        (each.runtime, str(each.outcome), each.id, each.text, within(each.path, item.workload))
        for each in item.blockers
    )
    yield Grid("What does not simply work", ("RUNTIME", "OUTCOME", "ROW", "WHAT", "FIELD"), blockers)
    findings = tuple(_finding(each, places) for each, places in alike(entry.findings, item.workload))
    yield Grid("Findings", ("RULE", "BEHIND IT", "WHAT, WHERE, WHAT TO DO"), findings)
    rows = tuple((row.id, row.now, row.after, row.because) for row in sorted(item.escapes.rows, key=_telling))
    yield Grid("Reference escapes (never a probability)", ("ESCAPE", "NOW", "AFTER", "BECAUSE"), rows)


def _telling(row: EscapeRow) -> tuple[bool, bool]:
    """What the recommendation changes comes first, then what stays open, then what is stopped anyway."""
    return row.now == row.after, row.after in STOPPED


def _summands(need: Need, workload: Workload) -> tuple[_Row, ...]:
    rows = [
        (f"{each.points:+d}" if each.points else "-", each.id, each.text, within(each.path, workload))
        for each in need.reasons
    ]
    return (*rows, (f"= {need.score}", "", "", "")) if rows else ()


def _arguments(heading: str, reasons: Sequence[Reason], workload: Workload) -> Grid:
    rows = tuple((each.id, each.text, within(each.path, workload)) for each in reasons)
    return Grid(heading, ("ROW", "REASON", "FIELD"), rows)


def _finding(judged: Judged, places: _Row) -> _Row:
    finding, accepted = judged.finding, judged.suppression
    relevance = str(finding.relevance)
    if accepted:
        relevance += f", accepted by {accepted.owner} until {accepted.expires}"
    lines = (finding.message, *(f"at {each}" for each in places), f"→ {finding.fix}" if finding.fix else "")
    return finding.rule, relevance, "\n".join(visible(line) for line in lines if line)
