"""What is wrong with policies that can be about the same request.

1. Only policies that enforce and do not exclude each other are compared (`casemate.policy.overlap`).
2. Nothing permitted by both: every request that both are about is denied.
3. A default that the other does not permit, where it is the stronger: unset is denied there.
4. A default that is never set, as another policy is about all that this one is about and has a stronger one.
5. Namespaces that are known: what all policies for them permit together, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product

from casemate.policy.check_board import Board
from casemate.policy.judge import CompiledPolicy
from casemate.policy.match import Answer
from casemate.policy.overlap import can_meet


class Placed:
    """Policies by the namespace that they are of: those of two namespaces never meet, and there may be thousands."""

    def __init__(self, policies: Sequence[CompiledPolicy]) -> None:
        self._order = {each.title: order for order, each in enumerate(policies)}
        self._of: dict[str, list[CompiledPolicy]] = {"": []}
        for each in policies:
            self._of.setdefault(each.document.namespace, []).append(each)

    def pairs(self) -> Iterator[tuple[CompiledPolicy, CompiledPolicy]]:
        """Those that can meet at all, the earlier one first."""
        for namespace, policies in self._of.items():
            yield from combinations(policies, 2)
            for one, other in product(self._of[""], policies) if namespace else ():
                yield (one, other) if self._order[one.title] < self._order[other.title] else (other, one)

    def about(self, namespace: str) -> list[CompiledPolicy]:
        """Those that can be about a namespace, in their order."""
        found = [*self._of[""], *self._of.get(namespace, ())]
        return sorted(found, key=lambda each: self._order[each.title])


def check_pairs(board: Board) -> None:
    """Compare policies two by two, then by namespaces."""
    placed = Placed([each for each in board.policies if each.enforces])
    for one, other in placed.pairs():
        if can_meet(board.match(one), board.match(other)):
            _compare(board, one, other)
    _by_namespace(board, placed)


def _compare(board: Board, one: CompiledPolicy, other: CompiledPolicy) -> None:
    if not _common(board, (one, other)):
        what = f"permits no class that {one.title} permits: where both are about a Pod, it is denied whatever it does"
        fix = f"permit a class that {one.title} permits, or keep their matches apart"
        board.error("empty-intersection", other.document, ("spec", "permitted"), what, fix, (one.title,))
        return
    first, second = sorted((one, other), key=_demand)
    default = first.default
    if default is not None and not second.permitted.permits(default):
        what = f"{second.title} does not permit its default {default.name}: where both match, unset is denied"
        fix = f"choose a default that {second.title} permits"
        board.error("default-not-permitted", first.document, ("spec", "default"), what, fix, (second.title,))
    if default is not None and second.default is not None and board.covers(first, second):
        what = f"its default is never set: {first.title} is about the same, and its default {default.name} comes first"
        fix = "remove it, or strengthen it"
        board.warn("unreachable-default", second.document, ("spec", "default"), what, fix, (first.title,))


def _demand(policy: CompiledPolicy) -> tuple[int, str]:
    """Whose default comes first."""
    return (-policy.default.boundary if policy.default else 1, policy.title)


def _common(board: Board, policies: Iterable[CompiledPolicy]) -> frozenset[str]:
    """The classes that all of them permit, and that reach the minimum of each."""
    return frozenset.intersection(*map(board.possible, policies))


def _by_namespace(board: Board, placed: Placed) -> None:
    empty: dict[tuple[str, ...], bool] = {}
    for name, labels in board.around.namespaces.items():
        found = [
            each
            for each in placed.about(name)
            if each.matcher.namespace(name, labels) is Answer.YES
            and not each.matcher.tests
            and not each.matcher.users
            and not each.matcher.groups
        ]
        titles = tuple(each.title for each in found)
        if titles not in empty:
            empty[titles] = len(found) > 1 and not _common(board, found)
        if empty[titles]:
            what = f"in namespace {name}, {', '.join(titles)} together permit no class: every Pod is denied"
            last, fix = found[-1].document, "permit a common class"
            board.error("empty-intersection", last, ("spec", "permitted"), what, fix, titles[:-1])
