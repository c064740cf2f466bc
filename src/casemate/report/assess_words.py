"""Phrases that several reports have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from casemate.model.assessment import Cost, Has
from casemate.model.fingerprint import named
from casemate.model.workload import Workload
from casemate.report.assess_document import Judged

_MIB = 1024 * 1024


def cost(cost: Cost) -> str:
    """What a runtime costs per Pod, in words; empty when it costs nothing, or nothing is known."""
    parts = [
        f"{cost.memory / _MIB:.0f} MiB" if cost.memory is not None else "",
        f"{cost.cpu} m CPU" if cost.cpu is not None else "",
        f"{cost.start_seconds:g} s to start" if cost.start_seconds is not None else "",
    ]
    said = ", ".join(part for part in parts if part)
    if not any((cost.memory, cost.cpu, cost.start_seconds)):
        return ""
    return f"{said} ({cost.source})" if said and cost.source else said


def route(has: Has) -> str:
    """Class → handler → runtime, and how sure that is."""
    return f"{has.class_name or '(default class)'} → {has.handler or '?'} → {has.runtime or 'unknown'}, {has.state}"


def within(path: str, workload: Workload) -> str:
    """A field's path from the Pod specification on, containers by name: `containers[web].image`."""
    return named(path.removeprefix(f"{workload.path}."), workload.spec)


def alike(findings: Iterable[Judged], workload: Workload) -> list[tuple[Judged, tuple[str, ...]]]:
    """Findings that differ in their places only, as one, with all places."""
    groups: defaultdict[tuple[object, ...], list[Judged]] = defaultdict(list)
    for each in findings:
        finding = each.finding
        groups[finding.rule, finding.message, finding.relevance, each.known, each.suppression].append(each)
    return [
        (found[0], tuple(_where(each, workload) for each in found if each.finding.path)) for found in groups.values()
    ]


def _where(judged: Judged, workload: Workload) -> str:
    line = f" (line {judged.finding.line})" if judged.finding.line else ""
    return f"{within(judged.finding.path, workload)}{line}"
