"""What is wrong with exceptions.

1. An expired one accepts nothing any more; one that expires too late accepts nothing yet.
2. It is about policies that are there, and about rules that they have.
3. Whoever writes Pods writes their labels and chooses their images: a scope of nothing else is open to all who may
   write Pods anywhere.
4. Where two can apply to one request and accept nothing in common, each takes the other's effect away.
"""

from __future__ import annotations

import datetime
from itertools import combinations

from casemate.model.policy import PolicyException, Rule
from casemate.policy.check_board import Board
from casemate.policy.exceptions import ends, last_end
from casemate.policy.judge import CompiledPolicy
from casemate.policy.overlap import can_meet
from casemate.sources.problems import near_miss


def check_exceptions(board: Board, now: datetime.datetime) -> None:
    """Look at each exception, then at pairs."""
    for each in board.written.exceptions:
        _expiry(board, each, now)
        _policies(board, each)
        _scope(board, each)
    for one, other in combinations(board.written.exceptions, 2):
        if can_meet(one.spec.scope, other.spec.scope) and not _common(one, other):
            what = f"where {one.name} applies too, neither accepts anything: they have nothing in common"
            fix = "keep their scopes apart, or make one of both"
            board.warn("exceptions-cancel", other, ("spec", "scope"), what, fix, (one.name,))


def _expiry(board: Board, exception: PolicyException, now: datetime.datetime) -> None:
    end, place = ends(exception.spec.expires), ("spec", "expires")
    if end <= now:
        board.error("exception-expired", exception, place, "has expired and accepts nothing", "remove or renew it")
    elif end > last_end(now, board.of.most):
        days = board.of.settings.max_exception_days
        fix = f"let it expire within {days} days, and renew it then"
        board.error("exception-too-long", exception, place, f"expires later than {days} days from now", fix)


def _policies(board: Board, exception: PolicyException) -> None:
    known = {each.title: each for each in board.policies}
    found = []
    for index, title in enumerate(exception.spec.policies):
        if title in known:
            found.append(known[title])
        else:
            fix = near_miss(title, known) or f"the policies are {', '.join(known)}"
            board.error("no-such-policy", exception, ("spec", "policies", index), f"there is no policy {title}", fix)
    if found and not any(can_meet(exception.spec.scope, board.match(each)) for each in found):
        what = "none of its policies can be about anything within its scope"
        board.warn("exception-unused", exception, ("spec", "scope"), what, "widen it, or remove the exception")
    for index, rule in enumerate(exception.spec.rules):
        if found and not any(_has(each, rule) for each in found):
            what = f"none of its policies can say {rule}"
            board.warn("exception-unused", exception, ("spec", "rules", index), what, "remove the rule")


def _has(policy: CompiledPolicy, rule: Rule) -> bool:
    """Whether a policy can violate the rule at all."""
    spec = policy.document.spec
    match rule:
        case Rule.CLASS_NOT_PERMITTED | Rule.CLASS_UNSET:
            return spec.permitted is not None
        case Rule.BELOW_MINIMUM:
            return bool(spec.minimum)
        case Rule.HARDENING:
            return spec.hardening is not None
        case _:
            return True


def _scope(board: Board, exception: PolicyException) -> None:
    scope = exception.spec.scope
    if scope.namespaces or scope.users or scope.groups:
        return
    if any("/" not in each for each in scope.serviceAccounts) or not scope.serviceAccounts:
        what = "anybody who writes Pods, in whatever namespace, can step into its scope"
        board.error(
            "anchor-editable", exception, ("spec", "scope"), what, "name namespaces, users or namespace/account"
        )


def _common(one: PolicyException, other: PolicyException) -> bool:
    first, second = one.spec, other.spec
    shared = set(first.policies) & set(second.policies) and set(first.rules) & set(second.rules)
    classes = not first.permitted or not second.permitted or set(first.permitted) & set(second.permitted)
    return bool(shared and classes)
