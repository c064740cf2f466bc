"""Whether two matches can be about the same request. Where it cannot be told that they cannot, they can.

1. Two conditions exclude each other when both are whole names and have none in common: namespaces, kinds, users,
   service accounts.
2. Labels exclude each other when both ask for one key with different values.
3. A policy of one namespace is about no other. Groups and images exclude nothing: a user has many, a Pod too.
4. One match lies within another when every condition of the other is one of its own, or wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casemate.model.policy import Match, NamespaceMatch

_EVERYWHERE = NamespaceMatch()


def can_meet(one: Match, other: Match) -> bool:
    """Whether a request may match both."""
    first, second = one.namespaces or _EVERYWHERE, other.namespaces or _EVERYWHERE
    listed = (
        (first.names, second.names),
        (one.kinds, other.kinds),
        (one.users, other.users),
        (_full(one), _full(other)),
    )
    if any(a and b and set(a).isdisjoint(b) for a, b in listed):
        return False
    return not (_clash(first.labels, second.labels) or _clash(one.podLabels, other.podLabels))


def lies_within(inner: Match, outer: Match) -> bool:
    """Whether every request that matches `inner` surely matches `outer`."""
    first, second = inner.namespaces or _EVERYWHERE, outer.namespaces or _EVERYWHERE
    listed = (
        (first.names, second.names),
        (inner.kinds, outer.kinds),
        (inner.users, outer.users),
        (inner.groups, outer.groups),
        (inner.images, outer.images),
        (inner.serviceAccounts, outer.serviceAccounts),
    )
    if any(b and not (a and set(a) <= set(b)) for a, b in listed):
        return False
    if not set(second.expressions) <= set(first.expressions):
        return False
    return second.labels.items() <= first.labels.items() and outer.podLabels.items() <= inner.podLabels.items()


def placed(match: Match, namespace: str) -> Match:
    """The match of a policy of that namespace, said as a condition; of no namespace, the match itself."""
    if not namespace:
        return match
    rest = {name: getattr(match, name) for name in match.__struct_fields__ if name != "namespaces"}
    return Match(namespaces=NamespaceMatch(names=(namespace,)), **rest)


def _full(match: Match) -> Sequence[str]:
    """Service accounts, if all are named with their namespace: a bare name may be any of them."""
    return match.serviceAccounts if all("/" in each for each in match.serviceAccounts) else ()


def _clash(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return any(other.get(key, text) != text for key, text in one.items())
