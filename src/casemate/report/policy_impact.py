"""What policies would do, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from casemate.model.assessment import Cost
from casemate.model.policy import Mode, Rule
from casemate.model.policy_impact import Effect, Impact
from casemate.report.answer import answer, encoded
from casemate.report.assess_text import visible

_SHAPES: Final = {Effect.NOTHING: "✓", Effect.CHANGE: "~ change", Effect.DENY: "✗ deny", Effect.BREAKS: "✗ breaks"}
_MIB: Final = 1 << 20
_LISTED: Final = 200


def impact_json(items: Sequence[Impact], missed: Sequence[str]) -> str:
    """Every workload, and the sums."""
    whole = answer(
        "PolicyImpact",
        summary={**_counts(items), "more": _cost(_sum(items))},
        missed=list(missed),
        items=[_item(each) for each in items],
    )
    return encoded(whole)


def impact_table(items: Sequence[Impact], missed: Sequence[str]) -> str:
    """What would not stay as it is, and the sums."""
    touched = [each for each in items if each.effect is not Effect.NOTHING]
    lines = [line for each in touched[:_LISTED] for line in _lines(each)]
    if len(touched) > _LISTED:
        lines.append(f"… and {len(touched) - _LISTED} more (-o json lists all)")
    counts = _counts(items)
    lines.append(
        f"{len(items)} workload{'' if len(items) == 1 else 's'}: {counts['nothing']} stay as they are, "
        f"{counts['change']} would change, {counts['deny']} would be denied, "
        f"{counts['breaks']} would break and are denied"
    )
    lines += _reasons(items)
    changed = [each for each in items if each.effect is Effect.CHANGE]
    if changed:
        lines.append(f"cost, one Pod of each that changes: {_sum_text(changed)}")
    lines += [f"not looked at: {visible(each)}" for each in missed]
    return "\n".join(lines)


def _lines(item: Impact) -> Iterator[str]:
    before, after = (visible(each) or "no class" for each in (item.before, item.after))
    change = f"  {before} → {after}, {_cost_text(item.more)}" if item.effect is Effect.CHANGE else f"  {before}"
    yield f"{_SHAPES[item.effect]:<9} {visible(item.title)}{change}"
    for each in item.reasons:
        if each.rule not in (Rule.DEFAULT_SET, Rule.UPGRADED, Rule.NO_DEFAULT) and each.mode is not Mode.AUDIT:
            yield f"          {each.rule}  {visible(each.policy)}: {visible(each.message)}"


def _reasons(items: Sequence[Impact]) -> Iterator[str]:
    """Why, by policy and rule, most frequent first."""
    denied = (each for each in items if each.effect in (Effect.DENY, Effect.BREAKS))
    found = Counter(
        (reason.policy, reason.rule)
        for each in denied
        for reason in {(reason.policy, reason.rule): reason for reason in each.reasons}.values()
        if reason.mode is Mode.ENFORCE
    )
    for (policy, rule), count in found.most_common():
        yield f"  {count} by {visible(policy)}: {rule}"
    unasked = sum(any(reason.rule is Rule.IDENTITY_UNKNOWN for reason in each.reasons) for each in items)
    if unasked:
        yield f"  {unasked} are also for policies about users or groups, which nobody asked as: they were not applied"


def _counts(items: Sequence[Impact]) -> dict[str, int]:
    found = Counter(str(each.effect) for each in items)
    return {str(effect): found[str(effect)] for effect in Effect}


def _sum(items: Sequence[Impact]) -> Cost:
    """The cost of one Pod of each workload that changes; unknown where no part is known."""
    changed = [each.more for each in items if each.effect is Effect.CHANGE]
    memory = [each.memory for each in changed if each.memory is not None]
    cpu = [each.cpu for each in changed if each.cpu is not None]
    return Cost(memory=sum(memory) if memory or not changed else None, cpu=sum(cpu) if cpu or not changed else None)


def _sum_text(changed: Sequence[Impact]) -> str:
    """The sum, with how many workloads it leaves out."""
    without = sum(None in (each.more.memory, each.more.cpu) for each in changed)
    left_out = f"; not all is known of {without} of {len(changed)}" if without else ""
    return f"{_cost_text(_sum(changed))}{left_out}"


def _item(item: Impact) -> dict[str, object]:
    return {
        "title": item.title,
        "namespace": item.namespace,
        "where": item.where,
        "effect": str(item.effect),
        "classBefore": item.before,
        "classAfter": item.after,
        "more": _cost(item.more),
        "reasons": [
            {"policy": each.policy, "rule": str(each.rule), "message": each.message, "mode": str(each.mode)}
            for each in item.reasons
        ],
    }


def _cost(cost: Cost) -> dict[str, object]:
    return {"memory": cost.memory, "cpu": cost.cpu, "startSeconds": cost.start_seconds}


def _cost_text(cost: Cost) -> str:
    memory = "memory not known" if cost.memory is None else f"{cost.memory / _MIB:+.0f} MiB"
    cpu = "CPU not known" if cost.cpu is None else f"{cost.cpu:+d}m CPU"
    return f"{memory}, {cpu}"
