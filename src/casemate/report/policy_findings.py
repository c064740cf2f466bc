"""Findings on policies as JSON and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from casemate.model.policy_findings import PolicyFinding, Severity
from casemate.report.answer import answer, encoded
from casemate.report.assess_text import visible

_SHAPES: Final = {Severity.ERROR: "✗ error", Severity.WARNING: "! warning"}


def findings_json(findings: Sequence[PolicyFinding], policies: int, exceptions: int) -> str:
    """All findings, and how many documents were looked at."""
    items = [
        {
            "id": each.id,
            "severity": str(each.severity),
            "kind": each.kind,
            "about": each.about,
            "others": each.others,
            "where": each.where,
            "message": each.message,
            "fix": each.fix,
        }
        for each in findings
    ]
    return encoded(answer("PolicyCheck", policies=policies, exceptions=exceptions, items=items))


def findings_text(findings: Sequence[PolicyFinding], policies: int, exceptions: int) -> str:
    """The same for a person: one line each, and what to do below it."""
    lines = []
    for each in findings:
        place = visible(each.where)
        lines.append(f"{place}: {_SHAPES[each.severity]} {each.id}: {visible(each.about)}: {visible(each.message)}")
        lines += [f"    → {visible(each.fix)}"] if each.fix else []
    counted = f"{policies} {'policy' if policies == 1 else 'policies'}"
    counted += f", {exceptions} exception{'' if exceptions == 1 else 's'}"
    lines.append(
        f"{counted}: {len(findings)} finding{'' if len(findings) == 1 else 's'}"
        if findings
        else f"✓ {counted}: nothing found"
    )
    return "\n".join(lines)
