"""An assessment as JUnit XML: one test case per workload, one suite per namespace.

1. A case fails when its workload makes the assessment fail, and no other does; an accepted or known gap is skipped,
   with the reason.
2. What else is to be said of a workload is its output.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from casemate.report.assess_document import Assessment, Entry, Standing
from casemate.report.assess_text import attributes, markup, place, title

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def junit(assessment: Assessment) -> str:
    """The XML document. What was not looked at is an error of a suite of its own."""
    entries = sorted(assessment.entries, key=lambda entry: entry.item.workload.namespace)
    lines = [line for _, group in groupby(entries, _namespace) for line in _suite(list(group), assessment)]
    total = {
        "tests": len(entries) + len(assessment.missed),
        "failures": sum(assessment.fails(entry) for entry in entries),
        "errors": len(assessment.missed),
        "skipped": sum(_skipped(entry) for entry in entries),
    }
    numbers = attributes({name: str(number) for name, number in total.items()})
    return "\n".join(
        [_HEAD, f'<testsuites name="casemate assess"{numbers}>', *lines, *_missed(assessment), "</testsuites>"]
    )


def _namespace(entry: Entry) -> str:
    return entry.item.workload.namespace


def _skipped(entry: Entry) -> bool:
    return entry.standing in (Standing.ACCEPTED, Standing.KNOWN)


def _suite(entries: list[Entry], assessment: Assessment) -> Iterator[str]:
    numbers = {
        "name": _namespace(entries[0]) or "no namespace",
        "tests": str(len(entries)),
        "failures": str(sum(assessment.fails(entry) for entry in entries)),
        "errors": "0",
        "skipped": str(sum(_skipped(entry) for entry in entries)),
    }
    yield f"  <testsuite{attributes(numbers)}>"
    for entry in entries:
        yield from _case(entry, fails=assessment.fails(entry))
    yield "  </testsuite>"


def _case(entry: Entry, *, fails: bool) -> Iterator[str]:
    workload = entry.item.workload
    names = {"name": title(workload), "classname": f"casemate.{workload.namespace or 'none'}.{workload.kind}"}
    if workload.source.file:
        names |= {"file": workload.source.file, "line": str(workload.source.line)}
    yield f"    <testcase{attributes(names)}>"
    if fails:
        message = attributes({"message": _short(entry), "type": str(entry.standing)})
        yield f"      <failure{message}>{_text(entry)}</failure>"
    elif _skipped(entry):
        yield f"      <skipped{attributes({'message': _excuse(entry)})}/>"
    if not fails:
        yield f"      <system-out>{_text(entry)}</system-out>"
    yield "    </testcase>"


def _short(entry: Entry) -> str:
    item = entry.item
    if entry.standing is Standing.GAP:
        return f"needs {item.need.boundary}, has {item.has.boundary}"
    return f"{sum(each.matters for each in entry.findings)} findings matter"


def _excuse(entry: Entry) -> str:
    gap = next((each for each in entry.findings if each.finding.gap), None)
    if gap is None or gap.suppression is None:
        return "known from the baseline"
    return f"accepted by {gap.suppression.owner} until {gap.suppression.expires}: {gap.suppression.reason}"


def _text(entry: Entry) -> str:
    lines = [entry.item.recommendation.sentence, place(entry.item.workload.source)]
    for each in entry.findings:
        if each.counts:
            path = f" ({each.finding.path})" if each.finding.path else ""
            lines.append(f"{each.finding.rule} {each.finding.relevance}: {each.finding.message}{path}")
    return "\n".join(markup(line) for line in lines if line)


def _missed(assessment: Assessment) -> Iterator[str]:
    if not assessment.missed:
        return
    count = str(len(assessment.missed))
    numbers = {"name": "not looked at", "tests": count, "failures": "0", "errors": count, "skipped": "0"}
    yield f"  <testsuite{attributes(numbers)}>"
    for number, each in enumerate(assessment.missed, start=1):
        case = attributes({"name": f"input {number}", "classname": "casemate.input"})
        error = attributes({"message": each, "type": "not looked at"})
        yield f"    <testcase{case}><error{error}/></testcase>"
    yield "  </testsuite>"
