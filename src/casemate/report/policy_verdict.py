"""Verdicts of policies as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from casemate.model.judged import Judged
from casemate.model.policy import Decision, Mode, Patch, PolicyReason, Verdict
from casemate.report.answer import answer, encoded
from casemate.report.assess_text import visible

_SHAPES: Final = {Decision.ALLOW: "✓ allow", Decision.DENY: "✗ deny", Decision.CHANGE: "~ change"}


def verdicts_json(items: Sequence[Judged]) -> str:
    """One verdict as itself, several as a list with the decision on all of them."""
    documents = [_document(each) for each in items]
    if len(documents) == 1:
        return encoded(documents[0])
    whole = answer("VerdictList", decision=decision(items), items=documents)
    return encoded(whole)


def verdicts_text(items: Sequence[Judged]) -> str:
    """The same for a person."""
    return "\n".join(line for each in items for line in _lines(each))


def decision(items: Sequence[Judged]) -> Decision:
    """What becomes of all of them: denied when one is."""
    found = {each.verdict.decision for each in items}
    return next(each for each in (Decision.DENY, Decision.CHANGE, Decision.ALLOW) if each in found)


def verdict_data(verdict: Verdict) -> dict[str, object]:
    """A verdict as plain data."""
    return {
        "decision": str(verdict.decision),
        "reasons": [_reason(each) for each in verdict.reasons],
        "patch": [patch_data(each) for each in verdict.patch],
        "warnings": list(verdict.warnings),
        **({"exception": verdict.exception} if verdict.exception else {}),
    }


def patch_data(patch: Patch) -> dict[str, str]:
    """One operation as RFC 6902 writes it."""
    value = {"value": patch.value} if isinstance(patch.value, str) else {}
    return {"op": patch.op, "path": patch.path, **value}


def _document(item: Judged) -> dict[str, object]:
    about = {"title": item.title, **({"where": item.where} if item.where else {})}
    return answer("Verdict", **verdict_data(item.verdict), object=about)


def _reason(reason: PolicyReason) -> dict[str, str]:
    place = {"path": reason.path} if reason.path else {}
    return {
        "policy": reason.policy,
        "rule": str(reason.rule),
        "message": reason.message,
        "mode": str(reason.mode),
        **place,
    }


def _lines(item: Judged) -> Iterator[str]:
    verdict = item.verdict
    place = f"  ({visible(item.where)})" if item.where else ""
    yield f"{_SHAPES[verdict.decision]}  {visible(item.title)}{place}"
    for each in verdict.reasons:
        mode = "" if each.mode is Mode.ENFORCE else f" ({each.mode})"
        who = f"{visible(each.policy)}: " if each.policy else ""
        at = f"  [{visible(each.path)}]" if each.path else ""
        yield f"    {each.rule}{mode}  {who}{visible(each.message)}{at}"
    for patch in verdict.patch:
        value = f" {visible(patch.value)}" if isinstance(patch.value, str) else ""
        yield f"    patch  {patch.op} {visible(patch.path)}{value}"
    shown = {f"{each.policy}: {each.message}" for each in verdict.reasons}
    for text in verdict.warnings:
        if text not in shown:
            yield f"    note  {visible(text)}"
