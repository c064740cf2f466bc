"""An assessment for programs: `kind: Assessment` with one item per workload.

1. Fields are only added within `casemate.dev/v1alpha1`; boundaries, states and outcomes are words.
2. The same document is the baseline of a later assessment: findings carry fingerprints.
3. Escapes are counts; `casemate explain WORKLOAD -o json` has their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeAlias, TypeVar

import msgspec

from casemate.model.acceptance import AuditedException
from casemate.model.assessment import Assessed, Blocker, Cost, Finding, Has, Need, Reason, Recommendation, Suppression
from casemate.model.workload import Source, Workload
from casemate.report.answer import answer, encoded
from casemate.report.assess_document import Assessment, Entry, Judged, Standing
from casemate.report.assess_text import readable
from casemate.report.policy_verdict import verdict_data

Document: TypeAlias = dict[str, object]
_Part = TypeVar("_Part")
_TOGETHER = 50


def assessment_json(assessment: Assessment) -> Iterator[str]:
    """The document, indented, in pieces: with thousands of workloads it is large."""
    document = answer(
        "Assessment",
        version=assessment.version,
        summary=_summary(assessment),
        exceptions=[_exception(each) for each in assessment.exceptions],
        notLookedAt=[readable(each) for each in assessment.missed],
        skipped=[readable(each) for each in assessment.skipped],
    )
    shared = Shared()
    yield from with_array(encoded(document), "items", (item_of(entry, shared) for entry in assessment.entries))


def with_array(document: str, name: str, items: Iterable[Document], depth: int = 1) -> Iterator[str]:
    """The indented JSON of an object, with one more array at its end, in pieces.

    `depth` says how many objects and arrays end there, one inside the other; the innermost gets the array.
    """
    lines = document.split("\n")
    begin, end = "\n".join(lines[:-depth]), "\n".join(lines[-depth:])
    margin = " " * (2 * depth)
    yield f'{begin},\n{margin}"{name}": ['
    separator, rest = "\n", iter(items)
    while some := list(islice(rest, _TOGETHER)):
        yield separator + _inside(some, depth)
        separator = ",\n"
    yield f"\n{margin}]\n{end}"


def _inside(items: list[Document], depth: int) -> str:
    """The items as they are indented in an array so deep: that of as many arrays, without their lines."""
    nested: object = items
    for _ in range(depth):
        nested = [nested]
    return encoded(nested).split("\n", depth + 1)[-1].rsplit("\n", depth + 1)[0]


class Shared:
    """The JSON of parts that many workloads have in common, written once for all of them."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[object, msgspec.Raw]] = {}

    def json(self, part: _Part, document: Callable[[_Part], object]) -> msgspec.Raw:
        """The document of that very object, which is always the same one."""
        if id(part) not in self._written:
            # Kept with the part: an id is another's once its object is gone.
            self._written[id(part)] = part, msgspec.Raw(msgspec.json.encode(document(part)))
        return self._written[id(part)][1]


def item_of(entry: Entry, shared: Shared) -> Document:
    """One workload: what it is, needs, has, and what closes the gap."""
    item = entry.item
    return {
        "workload": workload_of(item.workload),
        "standing": str(entry.standing),
        "need": shared.json(item.need, _need),
        "has": shared.json(item.has, _has),
        "gap": item.gap,
        "recommendation": shared.json(item.recommendation, _recommendation),
        "blockers": shared.json(item.blockers, _blockers),
        "findings": [
            _finding(each, fingerprint) for each, fingerprint in zip(entry.findings, entry.fingerprints, strict=True)
        ],
        "escapes": _escapes(item),
        "suppressions": [_suppression(each) for each in item.suppressions],
        **({"verdict": verdict_data(item.verdict)} if item.verdict else {}),
    }


def workload_of(workload: Workload) -> Document:
    """The workload's identity, and where it was found."""
    return {
        "apiVersion": workload.api_version,
        "kind": workload.kind,
        "namespace": workload.namespace,
        "name": workload.name,
        "source": source_of(workload.source),
    }


def source_of(source: Source) -> Document:
    """A place in a file, or the uid of a live object."""
    if not source.file:
        return {"uid": source.uid}
    return {"file": readable(source.file), "line": source.line, "column": source.column}


def _summary(assessment: Assessment) -> Document:
    return {
        "workloads": len(assessment.entries),
        "failed": assessment.failed,
        "failOn": str(assessment.fail_on),
        **{str(standing): assessment.counts[standing] for standing in Standing},
        **({} if assessment.fixed is None else {"goneSinceBaseline": assessment.fixed}),
    }


def _need(need: Need) -> Document:
    return {
        "boundary": str(need.boundary),
        "score": need.score,
        "forced": None if need.forced is None else str(need.forced),
        "reasons": _reasons(need.reasons),
    }


def _has(has: Has) -> Document:
    return {
        "class": has.class_name,
        "handler": has.handler,
        "runtime": has.runtime,
        "boundary": str(has.boundary),
        "state": str(has.state),
        "reasons": _reasons(has.reasons),
    }


def _recommendation(recommendation: Recommendation) -> Document:
    return {
        "runtimeClass": recommendation.runtime_class,
        "runtime": recommendation.runtime,
        "boundary": str(recommendation.boundary),
        "closes": recommendation.closes,
        "sentence": recommendation.sentence,
        "reasons": _reasons(recommendation.reasons),
        "hardening": list(recommendation.hardening),
        "differs": list(recommendation.differs),
        "cost": _cost(recommendation.cost),
    }


def _cost(cost: Cost) -> Document:
    return {
        "memoryBytes": cost.memory,
        "cpuMillicores": cost.cpu,
        "startSeconds": cost.start_seconds,
        "source": cost.source,
    }


def _reasons(reasons: Iterable[Reason]) -> list[Document]:
    return [{"id": each.id, "text": each.text, "points": each.points, "path": each.path} for each in reasons]


def _blockers(blockers: Iterable[Blocker]) -> list[Document]:
    return [
        {"id": each.id, "runtime": each.runtime, "outcome": str(each.outcome), "text": each.text, "path": each.path}
        for each in blockers
    ]


def _finding(judged: Judged, fingerprint: str) -> Document:
    finding: Finding = judged.finding
    accepted = judged.suppression
    return {
        "rule": finding.rule,
        "message": finding.message,
        "relevance": str(finding.relevance),
        "path": finding.path,
        "fix": finding.fix,
        **({"line": finding.line, "column": finding.column} if finding.line else {}),
        "gap": finding.gap,
        "fingerprint": fingerprint,
        **({"known": True} if judged.known else {}),
        **({"accepted": _suppression(accepted)} if accepted else {}),
    }


def _suppression(accepted: Suppression) -> Document:
    return {
        "rule": accepted.rule,
        "reason": accepted.reason,
        "owner": accepted.owner,
        "expires": accepted.expires,
    }


def _escapes(item: Assessed) -> Document:
    return {"now": item.escapes.now, "after": item.escapes.after, "total": item.escapes.total}


def _exception(exception: AuditedException) -> Document:
    return {
        "rules": list(exception.rules),
        "scope": exception.scope,
        "reason": exception.reason,
        "owner": exception.owner,
        "expires": exception.expires,
        "status": str(exception.status),
        "where": readable(exception.where),
        "matched": exception.matched,
    }
