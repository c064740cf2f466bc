"""An assessment as CSV and as Markdown: for spreadsheets, for comments on a change."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from casemate.model.assessment import Reason
from casemate.report.assess_document import SHAPES, Assessment, Entry, Standing
from casemate.report.assess_table import headline
from casemate.report.assess_text import cell, code, handle, markdown, place, title, unmentioned
from casemate.report.assess_words import alike

_COLUMNS = (
    "standing", "kind", "namespace", "name", "file", "line", "uid", "need", "score", "forced", "has", "class",
    "handler", "state", "gap", "recommended_class", "recommended_boundary", "closes", "memory_bytes", "escapes_now",
    "escapes_after", "escapes_total", "blockers", "findings", "accepted_by", "accepted_until", "recommendation",
)  # fmt: skip
_LISTED = 100


def assessment_csv(assessment: Assessment) -> str:
    """One line per workload below a line of names (RFC 4180); safe to open in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in assessment.entries:
        writer.writerow([each if isinstance(each, int) else cell(each) for each in _row(entry)])
    return out.getvalue().removesuffix("\r\n")


def _row(entry: Entry) -> Iterator[str | int]:
    item = entry.item
    workload, need, has, use = item.workload, item.need, item.has, item.recommendation
    yield from (str(entry.standing), workload.kind, workload.namespace, workload.name)
    yield from (workload.source.file, workload.source.line, workload.source.uid)
    yield from (str(need.boundary), need.score, "" if need.forced is None else str(need.forced))
    yield from (str(has.boundary), has.class_name, has.handler, str(has.state), "yes" if item.gap else "no")
    yield from (use.runtime_class, str(use.boundary), "yes" if use.closes else "no")
    yield "" if use.cost.memory is None else use.cost.memory
    yield from (item.escapes.now, item.escapes.after, item.escapes.total)
    yield " ".join(dict.fromkeys(f"{each.id}:{each.runtime}" for each in item.blockers))
    yield " ".join(dict.fromkeys(each.finding.rule for each in entry.findings if each.counts))
    accepted = next((each.suppression for each in entry.findings if each.finding.gap and each.suppression), None)
    yield from (accepted.owner, accepted.expires) if accepted else ("", "")
    yield use.sentence


def assessment_markdown(assessment: Assessment) -> str:
    """A heading, a table of what is not as it should be (at most 100 rows), and the rest as a number."""
    lines = ["## Isolation of workloads", "", headline(assessment), ""]
    shown = [entry for entry in assessment.entries if entry.standing is not Standing.OK]
    if shown:
        lines += ["| State | Workload | Needs | Has | What to do |", "|---|---|---|---|---|"]
        lines += [_line(entry) for entry in shown[:_LISTED]]
        lines.append("")
    if len(shown) > _LISTED:
        lines += [f"{len(shown) - _LISTED} more are left out here.", ""]
    lines += [f"- Not looked at: {markdown(each)}" for each in assessment.missed]
    for each in assessment.stale():
        lines.append(f"- Exception {each.status}: {markdown(each.where or each.scope)}, owner {markdown(each.owner)}")
    details = [line for entry in shown[:_LISTED] for line in _details(entry)]
    return "\n".join([*lines, *details]).rstrip()


def _line(entry: Entry) -> str:
    item = entry.item
    where = place(item.workload.source)
    name = code(title(item.workload)) + (f"<br>{code(where)}" if where else "")
    advice = markdown(item.recommendation.sentence)
    state = f"{SHAPES[entry.standing]} {entry.standing}"
    return f"| {state} | {name} | {item.need.boundary} | {item.has.boundary} | {advice} |"


def _details(entry: Entry) -> Iterator[str]:
    item = entry.item
    yield f"\n<details><summary>Why: {unmentioned(handle(item.workload))}</summary>\n"
    for reason in item.need.reasons:
        yield f"- {_points(reason)}{markdown(reason.text)} ({code(reason.id)})"
    for each, places in alike(entry.weaknesses, item.workload):
        times = f" ({len(places)} times)" if len(places) > 1 else ""
        said = f"{markdown(each.finding.message)}{times}. {markdown(each.finding.fix)}"
        yield f"- {code(each.finding.rule)} {said}".rstrip()
    yield "\n</details>"


def _points(reason: Reason) -> str:
    return f"{reason.points:+d} " if reason.points else ""
