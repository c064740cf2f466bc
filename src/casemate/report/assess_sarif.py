"""An assessment as SARIF 2.1.0, for code scanning.

1. Only what fails or weakens is a result: the gap is an `error`, what matters a `warning`, what the boundary reduces a
   `note`. What does not apply, and what is as it should be, is none: results that say "fine" flood such tools.
2. An accepted finding stays a result, with a suppression (section 3.35) of kind `external` that names reason, owner
   and expiry; a tool that annoys gets switched off.
3. `partialFingerprints` (3.27.17) depend on no line, so that a result stays the same one when text moves.
4. Places in files are relative URIs where the file's name is; live objects have a logical location only.
5. What was not looked at makes the invocation unsuccessful and is told there (3.20.14, 3.20.21).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from casemate.model.assessment import Relevance
from casemate.model.workload import Workload
from casemate.report.answer import encoded
from casemate.report.assess_document import Assessment, Entry, Judged, RuleText
from casemate.report.assess_json import Document, with_array
from casemate.report.assess_text import readable, visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "casemate/v1"
_STREAMS = ("", "-", "<stdin>")


def sarif(assessment: Assessment) -> Iterator[str]:
    """The log file, in pieces: one run of one tool."""
    shown = (judged for entry in assessment.entries for judged in entry.findings if _shown(judged))
    rules = sorted({judged.finding.rule for judged in shown})
    index = {rule: number for number, rule in enumerate(rules)}
    run = {
        "tool": {"driver": _driver(assessment, rules)},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(assessment)],
    }
    log = encoded({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    # The log, its runs and the run end there: results go into the run.
    yield from with_array(log, "results", _results(assessment, index), depth=3)


def _results(assessment: Assessment, index: Mapping[str, int]) -> Iterator[Document]:
    baseline = assessment.fixed is not None
    for entry in assessment.entries:
        for judged, fingerprint in zip(entry.findings, entry.fingerprints, strict=True):
            if _shown(judged):
                result = _result(entry, judged, fingerprint, baseline=baseline)
                yield {"ruleId": judged.finding.rule, "ruleIndex": index[judged.finding.rule], **result}


def _shown(judged: Judged) -> bool:
    return judged.finding.gap or judged.finding.relevance is not Relevance.NOT_APPLICABLE


def _driver(assessment: Assessment, rules: list[str]) -> Document:
    driver: Document = {"name": "casemate", "rules": [_rule(assessment.rule(rule)) for rule in rules]}
    return driver | ({"version": assessment.version} if assessment.version else {})


def _rule(rule: RuleText) -> Document:
    texts = {"shortDescription": rule.title, "fullDescription": rule.why, "help": rule.fix or rule.why}
    return {"id": rule.id, **{name: {"text": visible(text)} for name, text in texts.items() if text}}


def _invocation(assessment: Assessment) -> Document:
    told = [("error", f"Not looked at: {each}") for each in assessment.missed]
    told += [("note", f"Skipped: {each}") for each in assessment.skipped]
    notifications = [{"level": level, "message": {"text": visible(text)}} for level, text in told]
    found: Document = {"executionSuccessful": not assessment.missed}
    return found | ({"toolExecutionNotifications": notifications} if notifications else {})


def _result(entry: Entry, judged: Judged, fingerprint: str, *, baseline: bool) -> Document:
    result: Document = {
        "kind": "fail",
        "level": _level(judged),
        "message": {"text": _message(entry, judged)},
        "locations": [_location(entry.item.workload, judged)],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
    }
    if baseline:
        result["baselineState"] = "unchanged" if judged.known else "new"
    if judged.suppression is not None:
        accepted = judged.suppression
        text = f"{accepted.reason} (accepted by {accepted.owner} until {accepted.expires})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": visible(text)}]
    return result


def _level(judged: Judged) -> str:
    if judged.finding.gap:
        return "error"
    return "warning" if judged.finding.relevance is Relevance.MATTERS else "note"


def _message(entry: Entry, judged: Judged) -> str:
    finding, workload = judged.finding, entry.item.workload
    advice = entry.item.recommendation.sentence if finding.gap else finding.fix
    # Square brackets would begin a link (3.11.6).
    text = f"{workload.title}: {finding.message}. {advice}".strip()
    return visible(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(workload: Workload, judged: Judged) -> Document:
    finding, source = judged.finding, workload.source
    name = f"{workload.kind}/{workload.namespace}/{workload.name}"
    field = finding.path or workload.path
    logical = {"name": visible(workload.name), "fullyQualifiedName": visible(f"{name}/{field}"), "kind": "object"}
    location: Document = {"logicalLocations": [logical]}
    if source.file not in _STREAMS:
        line, column = (finding.line, finding.column) if finding.line else (source.line, source.column)
        physical: Document = {"artifactLocation": {"uri": _uri(source.file)}, "region": _region(line, column)}
        location["physicalLocation"] = physical
    return location


def _region(line: int, column: int) -> Document:
    region: Document = {"startLine": max(line, 1)}
    return region | ({"startColumn": column} if column > 0 else {})


def _uri(file: str) -> str:
    path = "/".join(_parts(file))
    quoted = quote(readable(path), safe="/~")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _parts(file: str) -> Iterator[str]:
    parts = PurePosixPath(file).parts
    yield from ("" if part == "/" else part for part in parts)
