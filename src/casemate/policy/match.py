"""Whether a policy or an exception is about a request (`casemate.model.policy`, rule 1).

1. Namespaces first: by whole names and by labels. Where labels are asked for and could not be had, it is not known.
2. Then all other conditions, each of which must hold.
3. An image that cannot be read, or is not named, matches every policy and no exception; an exception is about a Pod
   only when all of its images match, and there is one.
4. Users and groups do not match where Kubernetes' own controllers or nodes ask. Where nobody is known to ask, a policy
   about them cannot be applied, and an exception about them is about nothing.
5. A Pod counts as its controller's kind. In an exception, only where a controller asks, or nobody is known to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import TypeAlias

from casemate.images.reference import Reference
from casemate.model.kube.meta import LabelSelector
from casemate.model.policy import Match, NamespaceMatch
from casemate.model.workload import Workload
from casemate.policy.asker import Asker, Role
from casemate.policy.images import image, images, pattern
from casemate.policy.rights import account_of
from casemate.sources.rules.labels import matches

_POD = "Pod"


class Answer(Enum):
    """Whether it matches. `UNKNOWN`: the namespace's labels could not be had. `UNASKED`: nobody is known to ask."""

    NO = auto()
    YES = auto()
    UNKNOWN = auto()
    UNASKED = auto()

    __hash__ = object.__hash__  # An enumeration's own is written in Python, and every request asks for some.


class Subject:
    """A workload and who asks for it, with what conditions ask of them, read once."""

    def __init__(self, workload: Workload, asker: Asker) -> None:
        self.workload = workload
        self.asker = asker
        self.labels = workload.metadata.labels

    @cached_property
    def account(self) -> str:
        """The name of the Pod's service account."""
        return account_of(self.workload)

    @cached_property
    def images(self) -> tuple[Reference | None, ...]:
        """Its images; None for each that cannot be read."""
        return tuple(map(image, images(self.workload.spec)))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Its kind, and for a Pod that of its controller."""
        workload = self.workload
        owners = workload.owners if workload.kind == _POD else ()
        return frozenset((workload.kind, *(each.partition("/")[0] for each in owners)))


_Test: TypeAlias = Callable[[Subject], bool]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A `Match`, compiled. `tests` are its conditions but namespaces, users and groups."""

    namespaces: NamespaceMatch | None
    tests: tuple[_Test, ...]
    users: frozenset[str]
    groups: frozenset[str]
    widening: bool

    def namespace(self, name: str, labels: Mapping[str, str] | None) -> Answer:
        """Whether it is about that namespace."""
        wanted = self.namespaces
        if wanted is None:
            return Answer.YES
        if wanted.names and name not in wanted.names:
            return Answer.NO
        if not wanted.labels and not wanted.expressions:
            return Answer.YES
        if labels is None:
            return Answer.UNKNOWN
        selector = LabelSelector(matchLabels=wanted.labels, matchExpressions=wanted.expressions)
        return Answer.YES if matches(selector, labels) else Answer.NO

    def rest(self, subject: Subject) -> Answer:
        """Whether all other conditions hold."""
        for test in self.tests:
            if not test(subject):
                return Answer.NO
        return self._asked(subject.asker) if self.users or self.groups else Answer.YES

    @property
    def asks(self) -> bool:
        """Whether there are other conditions than those about namespaces."""
        return bool(self.tests or self.users or self.groups)

    @property
    def asks_identity(self) -> bool:
        """Whether the answer depends on who asks."""
        return bool(self.users or self.groups) or self.widening

    def _asked(self, asker: Asker) -> Answer:
        match asker.role:
            case Role.NOBODY:
                return self._unasked
            case Role.CONTROLLER | Role.NODE:
                return Answer.NO
        if self.groups and self.groups.isdisjoint(asker.groups):
            return Answer.NO if asker.groups else self._unasked
        if self.users and asker.user not in self.users:
            return Answer.NO if asker.user else self._unasked
        return Answer.YES

    @property
    def _unasked(self) -> Answer:
        """What widens needs to know who asks; what narrows says that it could not tell."""
        return Answer.NO if self.widening else Answer.UNASKED


def matcher(match: Match, *, widening: bool = False) -> Matcher:
    """Compile the conditions; `widening` those of an exception. Patterns are valid: `sources.policies` saw to it."""
    tests: list[_Test] = []
    if match.kinds:
        tests.append(_kinds(frozenset(match.kinds), widening=widening))
    if match.podLabels:
        labels = match.podLabels.items()
        tests.append(lambda subject: labels <= subject.labels.items())
    if match.serviceAccounts:
        tests.append(_accounts(frozenset(match.serviceAccounts)))
    if match.images:
        tests.append(_images(match.images, widening=widening))
    return Matcher(match.namespaces, tuple(tests), frozenset(match.users), frozenset(match.groups), widening)


def _kinds(kinds: frozenset[str], *, widening: bool) -> _Test:
    def holds(subject: Subject) -> bool:
        if widening and subject.asker.role in (Role.SOMEBODY, Role.NODE):
            return subject.workload.kind in kinds
        return not kinds.isdisjoint(subject.kinds)

    return holds


def _accounts(accounts: frozenset[str]) -> _Test:
    def holds(subject: Subject) -> bool:
        name = subject.account
        return name in accounts or f"{subject.workload.namespace}/{name}" in accounts

    return holds


def _images(texts: tuple[str, ...], *, widening: bool) -> _Test:
    patterns = tuple(map(pattern, texts))

    def fits(found: Reference | None) -> bool:
        if found is None:
            return not widening
        return any(each.fits(found, widening=widening) for each in patterns)

    def holds(subject: Subject) -> bool:
        return bool(subject.images) and (all if widening else any)(map(fits, subject.images))

    return holds
