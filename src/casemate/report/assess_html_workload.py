"""One workload of the HTML report, with every number opened to its summands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from casemate.model.assessment import Blocker, Reason
from casemate.model.workload import Workload
from casemate.report.assess_document import SHAPES, STOPPED, Assessment, Entry, Judged
from casemate.report.assess_text import markup, place, title
from casemate.report.assess_words import alike, cost, route, within


def workload(entry: Entry, anchor: str, assessment: Assessment, *, is_open: bool) -> Iterator[str]:
    """The workload as `<details>`; `anchor` is its id on the page."""
    item, standing = entry.item, entry.standing
    yield f'<details class="workload" id="{anchor}"{" open" if is_open else ""}><summary>'
    yield f'<span class="badge {standing}"><span aria-hidden="true">{SHAPES[standing]}</span> {standing}</span>'
    yield f'<span class="name">{markup(title(item.workload))}</span> <span class="soft">needs {item.need.boundary}, '
    yield f'has {item.has.boundary}{_weak(entry)}</span></summary>\n<div class="body">'
    yield f'<p class="advice">{markup(item.recommendation.sentence)}</p>'
    yield from _facts(entry)
    yield from _need(entry)
    yield from _reasons("What it has", item.has.reasons, item.workload)
    yield from _reasons("Why this recommendation", item.recommendation.reasons, item.workload)
    yield from _blockers(item.blockers, item.workload)
    yield from _findings(entry, assessment)
    yield from _escapes(entry)
    yield "</div></details>"


def grid(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), foot: str = ""
) -> Iterator[str]:
    """A table that scrolls alone. Cells are markup already; `numbers` are columns to align on the right."""
    kind = dict.fromkeys(numbers, ' class="number"')
    yield f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table><caption>{caption}</caption>'
    cells = "".join(f'<th scope="col"{kind.get(column, "")}>{head}</th>' for column, head in enumerate(heads))
    yield f"<thead><tr>{cells}</tr></thead><tbody>"
    for row in rows:
        cells = "".join(f"<td{kind.get(column, '')}>{text}</td>" for column, text in enumerate(row))
        yield f"<tr>{cells}</tr>"
    yield f"</tbody>{foot}</table></div>"


def _weak(entry: Entry) -> str:
    count = len(entry.weaknesses)
    return f", {count} weakness{'' if count == 1 else 'es'}" if count else ""


def _facts(entry: Entry) -> Iterator[str]:
    item = entry.item
    escapes = item.escapes
    facts = {
        "Found at": place(item.workload.source),
        "Runs under": route(item.has),
        "Recommended class": item.recommendation.runtime_class or "as it is",
        "Cost per Pod": cost(item.recommendation.cost),
        "Escapes stopped": f"{escapes.now} of {escapes.total} now, {escapes.after} after" if escapes.total else "",
        "Needs consent": ", ".join(item.recommendation.differs),
    }
    yield "<dl>" + "".join(f"<dt>{name}</dt><dd>{markup(text)}</dd>" for name, text in facts.items() if text) + "</dl>"


def _need(entry: Entry) -> Iterator[str]:
    need = entry.item.need
    rows = [
        (_points(each), markup(each.text), _at(within(each.path, entry.item.workload)), markup(each.id))
        for each in need.reasons
    ]
    forced = f", and at least {need.forced} whatever the sum" if need.forced is not None else ""
    foot = (
        f'<tfoot><tr><td class="number">{need.score}</td><th scope="row" colspan="3">{_sum(need.reasons, need.score)}'
    )
    foot += f": {need.boundary}{forced}</th></tr></tfoot>"
    yield from grid("What it needs, and why", ("Points", "Reason", "Field", "Criterion"), rows, (0,), foot)


def _points(reason: Reason) -> str:
    return f"{reason.points:+d}" if reason.points else "-"


def _sum(reasons: Sequence[Reason], score: int) -> str:
    total = sum(each.points for each in reasons)
    return "of 100" if total == score else f"of 100 (the sum is {total})"


def _reasons(heading: str, reasons: Sequence[Reason], subject: Workload) -> Iterator[str]:
    if reasons:
        items = "".join(f"<li>{markup(each.text)}{_at(within(each.path, subject))}</li>" for each in reasons)
        yield f"<h4>{heading}</h4><ul>{items}</ul>"


def _at(path: str) -> str:
    return f" {_field(path)}" if path else ""


def _field(path: str) -> str:
    """A path that may be broken after its dots."""
    return f"<code>{markup(path).replace('.', '.<wbr>')}</code>"


def _blockers(blockers: Sequence[Blocker], subject: Workload) -> Iterator[str]:
    if blockers:
        rows = [
            (
                markup(each.runtime),
                str(each.outcome),
                markup(each.text) + _at(within(each.path, subject)),
                markup(each.id),
            )
            for each in blockers
        ]
        yield from grid("What does not simply work elsewhere", ("Runtime", "Outcome", "What", "Row"), rows)


def _findings(entry: Entry, assessment: Assessment) -> Iterator[str]:
    if entry.findings:
        rows = [_finding(each, places, assessment) for each, places in alike(entry.findings, entry.item.workload)]
        yield from grid("Findings", ("Rule", "What", "Behind this boundary", "What to do"), rows)


def _finding(judged: Judged, places: Sequence[str], assessment: Assessment) -> tuple[str, ...]:
    finding, accepted = judged.finding, judged.suppression
    rule = markup(finding.rule)
    tooltip = markup(assessment.rule(finding.rule).title)
    note = "known from the baseline" if judged.known else ""
    note = f"accepted by {accepted.owner} until {accepted.expires}: {accepted.reason}" if accepted else note
    return (
        f'<a href="#rule-{rule}" title="{tooltip}">{rule}</a>',
        f"{markup(finding.message)}{''.join(f'<br>{_field(place)}' for place in places)}",
        f"{finding.relevance}{f'; {markup(note)}' if note else ''}",
        markup(finding.fix),
    )


def _escapes(entry: Entry) -> Iterator[str]:
    rows = entry.item.escapes.rows
    kept = [row.id for row in rows if row.now in STOPPED]
    gained = [row.id for row in rows if row.now not in STOPPED and row.after in STOPPED]
    still = [f"{row.id} ({row.after})" for row in rows if row.after not in STOPPED]
    lists = {"Stopped now": kept, "Stopped in addition after the recommendation": gained, "Not surely stopped": still}
    items = "".join(f"<dt>{name}</dt><dd>{markup(', '.join(ids))}</dd>" for name, ids in lists.items() if ids)
    if items:
        yield f"<h4>Reference escapes</h4><dl>{items}</dl>"
