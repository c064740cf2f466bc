"""Exceptions as variables: which apply, which are in force, what they accept.

1. `applying` are those whose scope matches; accepted is what all of them accept (`casemate.policy.exceptions`).
2. CEL has no clock. But the API server stamps `creationTimestamp` into what is being created before it validates
   (apiserver, registry/generic/registry/store.go), and nobody else can: that is the time of a CREATE. An exception is
   in force from the first day on which it does not expire too late, until it expires.
3. An update, and the mutation before any validation, have no such time. An update is accepted by no exception: stricter
   than the evaluator, and a gap. The mutation leaves alone what an exception, in force or not, wants to be left alone:
   the validation after it then refuses it when none is.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from casemate.model.policy import CLASS_RULES, PolicyException, Rule
from casemate.policy.compile import cel, facts, matching, selection
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.selection import Selection
from casemate.policy.compile.tables import Tables
from casemate.policy.exceptions import ends

_DAY = datetime.timedelta(days=1)


def selections(tables: Tables) -> list[Selection]:
    """What the scopes ask, in the order of the exceptions."""
    return [selection.of_scope(each.spec.scope) for each in tables.exceptions]


def applying(tables: Tables) -> tuple[Variable, ...]:
    """`applying`, and what each accepts: `accepts` are rules of policies, `acceptsClass` rules for a class."""
    found = selection.index(selections(tables))
    return (
        *matching.candidates("scopes", found),
        *matching.holding(facts.NEW, "applying", "scopes", found),
        Variable("accepts", cel.text_lists(_accepted(tables, each) for each in tables.exceptions)),
    )


def in_force(tables: Tables) -> tuple[Variable, ...]:
    """`applying` of those that are in force when something is created (rule 2); none in an update (rule 3)."""
    windows = [_window(each, tables.settings.max_exception_days) for each in tables.exceptions]
    times = f"[{', '.join(f'timestamp({cel.text(each)})' for window in windows for each in window)}]"
    now = "timestamp(dyn(object).metadata.creationTimestamp)"
    held = "variables.now >= variables.times[e * 2] && variables.now < variables.times[e * 2 + 1]"
    return (
        Variable("times", times),
        Variable("now", now),
        Variable("inForce", f"request.operation == 'CREATE' ? variables.applying.filter(e, {held}) : []"),
    )


def accepted(held: str, rule: Rule, name: str) -> str:
    """Whether all exceptions of `held` accept the rule's violation of policy `i` by the class `name`."""
    key = f"string(i) + {cel.text(f'/{rule}')}"
    if rule in CLASS_RULES:
        one = f"({key} in variables.accepts[e] || {key} + '/' + {name} in variables.accepts[e])"
    else:
        one = f"{key} in variables.accepts[e]"
    return f"size({held}) > 0 && {held}.all(e, {one})"


def leaves_unset(held: str) -> str:
    """Whether all exceptions of `held` want Pods to stay without a class, whatever policy `i` has for a default."""
    key = f"string(i) + '/{Rule.CLASS_UNSET}/'"
    return f"size({held}) > 0 && {held}.all(e, {key} in variables.accepts[e])"


def _accepted(tables: Tables, exception: PolicyException) -> Iterator[str]:
    spec = exception.spec
    for number, policy in enumerate(tables.policies):
        if policy.title not in spec.policies:
            continue
        for rule in spec.rules:
            if rule in CLASS_RULES and spec.permitted:
                yield from (f"{number}/{rule}/{name}" for name in spec.permitted)
            else:
                yield f"{number}/{rule}"


def _window(exception: PolicyException, most: int) -> tuple[str, str]:
    """From when until when it is in force: not before the day from which on its end is not too far off."""
    end = ends(exception.spec.expires)
    last_day = end - _DAY if end.time() == datetime.time() else end
    start = datetime.datetime.combine(last_day.date(), datetime.time(), datetime.UTC) - most * _DAY
    return _rfc3339(start), _rfc3339(end)


def _rfc3339(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
