"""An assessment as reports for Kubernetes: one per namespace, whatever its number of workloads.

1. One result per namespace and rule, so that a report's size does not grow with the workloads and never nears the
   limit of an object in etcd. The counts are properties; at most ten workloads are named.
2. `fail`: the rule counts for a workload; `skip`: all of it is accepted or known; the gap's rule is also told when it
   passes. Severity: the gap is high, what matters medium, what is reduced low.
3. Names are made of the namespace's alone; a second report replaces the first.
4. PolicyReports are of `wgpolicyk8s.io/v1alpha2`; its successor `openreports.io/v1alpha1` has the same results in a
   Report, whose source stands outside of them too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from casemate.model.assessment import Relevance
from casemate.model.workload import Workload
from casemate.report.answer import encoded
from casemate.report.assess_document import Assessment, Entry, Judged, RuleText
from casemate.report.assess_json import Document
from casemate.report.assess_text import visible

GAP_RULE = "CM001"
_NAMED = 10
_RESULTS = ("pass", "fail", "warn", "error", "skip")


_POLICY_REPORT: Document = {"apiVersion": "wgpolicyk8s.io/v1alpha2", "kind": "PolicyReport"}
_OPEN_REPORT: Document = {"apiVersion": "openreports.io/v1alpha1", "kind": "Report", "source": "casemate"}


def policy_reports(assessment: Assessment) -> str:
    """A `List` of PolicyReports that kubectl applies."""
    return _listed(assessment, _POLICY_REPORT)


def open_reports(assessment: Assessment) -> str:
    """The same as Reports of OpenReports."""
    return _listed(assessment, _OPEN_REPORT)


def _listed(assessment: Assessment, head: Document) -> str:
    namespaces: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in assessment.entries:
        namespaces[entry.item.workload.namespace or "default"].append(entry)
    items = [head | _report(name, entries, assessment) for name, entries in sorted(namespaces.items())]
    return encoded({"apiVersion": "v1", "kind": "List", "items": items})


def _report(namespace: str, entries: list[Entry], assessment: Assessment) -> Document:
    results = list(_results(entries, assessment))
    counts = Counter(str(each["result"]) for each in results)
    return {
        "metadata": {
            "name": "casemate",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "casemate"},
        },
        "scope": {"apiVersion": "v1", "kind": "Namespace", "name": namespace},
        "summary": {result: counts[result] for result in _RESULTS},
        "results": results,
    }


def _results(entries: list[Entry], assessment: Assessment) -> Iterator[Document]:
    rules: defaultdict[str, list[tuple[Entry, Judged]]] = defaultdict(list)
    rules[next((each.finding.rule for entry in entries for each in entry.findings if each.finding.gap), GAP_RULE)] = []
    for entry in entries:
        for judged in entry.findings:
            if judged.finding.relevance is not Relevance.NOT_APPLICABLE:
                rules[judged.finding.rule].append((entry, judged))
    for rule, found in sorted(rules.items()):
        yield _result(assessment.rule(rule), found, len(entries))


def _result(rule: RuleText, found: list[tuple[Entry, Judged]], total: int) -> Document:
    counting = _workloads(entry for entry, judged in found if judged.counts)
    named = counting or _workloads(entry for entry, _ in found)
    outcome = "fail" if counting else "skip" if found else "pass"
    return {
        "source": "casemate",
        "policy": "casemate-assess",
        "rule": rule.id,
        "category": "isolation",
        "result": outcome,
        "scored": True,
        "severity": _severity([judged for _, judged in found]),
        "message": _message(rule, list(named.values()), outcome, total),
        "properties": {
            "workloads": str(total),
            "failed": str(len(counting)),
            "accepted": str(len(_workloads(entry for entry, judged in found if judged.suppression))),
            "known": str(len(_workloads(entry for entry, judged in found if judged.known))),
        },
        "resources": [_reference(each) for each in list(named.values())[:_NAMED]],
    }


def _workloads(entries: Iterable[Entry]) -> Mapping[str, Workload]:
    return {entry.item.workload.title: entry.item.workload for entry in entries}


def _severity(found: list[Judged]) -> str:
    if not found or any(each.finding.gap for each in found):
        return "high"
    return "medium" if any(each.finding.relevance is Relevance.MATTERS for each in found) else "low"


def _message(rule: RuleText, named: list[Workload], outcome: str, total: int) -> str:
    if outcome == "pass":
        return f"{rule.title}: none of {total}"
    names = ", ".join(f"{each.kind} {each.name}" for each in named[:_NAMED])
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    accepted = " (accepted or known)" if outcome == "skip" else ""
    return visible(f"{rule.title}: {len(named)} of {total}{accepted}: {names}{more}")


def _reference(workload: Workload) -> Document:
    reference: Document = {"apiVersion": workload.api_version, "kind": workload.kind, "name": visible(workload.name)}
    reference |= {"namespace": workload.namespace} if workload.namespace else {}
    return reference | ({"uid": workload.source.uid} if workload.source.uid else {})
