"""What checks of policies know, and where they put their findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from casemate.catalogue.tables import Catalogue
from casemate.model.boundary import Boundary
from casemate.model.policy import Match, Policy, PolicyException
from casemate.model.policy_findings import PolicyFinding, Severity
from casemate.model.surroundings import Surroundings
from casemate.policy.classes import ClassFacts
from casemate.policy.evaluate import PolicySet
from casemate.policy.judge import CompiledPolicy
from casemate.policy.overlap import lies_within, placed
from casemate.sources.policies import PolicyInput


class Board:
    """Collects findings."""

    def __init__(self, written: PolicyInput, of: PolicySet, around: Surroundings, catalogue: Catalogue) -> None:
        self.written = written
        self.of = of
        self.around = around
        self._catalogue = catalogue
        self._found: dict[tuple[int, int, str, str], PolicyFinding] = {}
        by_title = {each.title: each for each in of.policies}
        self.policies = tuple(by_title[each.title] for each in written.policies)
        both = (*written.policies, *written.exceptions)
        self._matches = {each.title: placed(each.spec.match, each.namespace) for each in written.policies}
        self._possible: dict[str, frozenset[str]] = {}
        self._documents = {id(each): (order, written.documents[order]) for order, each in enumerate(both)}

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Names of RuntimeClasses that are known; without any, those that RuntimeClasses commonly have."""
        common = (name for row in self._catalogue.runtimes.runtimes for name in row.classes if "*" not in name)
        return frozenset(self.of.classes.names or common)

    @cached_property
    def classes(self) -> tuple[ClassFacts, ...]:
        """Every class that may be meant: unset, those that are known, and those that documents name."""
        named = {each.spec.default for each in self.written.policies}
        for each in self.written.policies:
            entries = each.spec.permitted or ()
            named |= {entry if isinstance(entry, str) else entry.name or "" for entry in entries}
        return tuple(self.of.classes.facts(name) for name in sorted({"", *named, *self.known_names}))

    def reaches(self, of: ClassFacts, least: Boundary) -> bool:
        """Whether a Pod of the class may reach the boundary: a shared kernel may be hardened."""
        return of.boundary >= least or (least is Boundary.HARDENED and of.boundary is Boundary.SHARED)

    def match(self, policy: CompiledPolicy) -> Match:
        """What a policy is about, with its own namespace."""
        return self._matches[policy.title]

    def possible(self, policy: CompiledPolicy) -> frozenset[str]:
        """The classes that a policy permits and that may reach its minimum."""
        found, least = self._possible.get(policy.title), policy.minimum
        if found is None:
            permitted = (of for of in self.classes if policy.permitted.permits(of))
            found = frozenset(of.name for of in permitted if least is None or self.reaches(of, least))
            self._possible[policy.title] = found
        return found

    def covers(self, outer: CompiledPolicy, inner: CompiledPolicy) -> bool:
        """Whether another policy is about everything that one is about."""
        return outer is not inner and lies_within(self.match(inner), self.match(outer))

    def error(
        self,
        what: str,
        about: Policy | PolicyException,
        path: Sequence[str | int],
        message: str,
        fix: str,
        others: Iterable[str] = (),
    ) -> None:
        """It denies or accepts what nobody can have meant."""
        self._say(Severity.ERROR, what, about, path, message, fix, others)

    def warn(
        self,
        what: str,
        about: Policy | PolicyException,
        path: Sequence[str | int],
        message: str,
        fix: str,
        others: Iterable[str] = (),
    ) -> None:
        """It does less than it seems to."""
        self._say(Severity.WARNING, what, about, path, message, fix, others)

    def findings(self) -> tuple[PolicyFinding, ...]:
        """All of them, in the order of the documents and of their lines."""
        return tuple(found for _, found in sorted(self._found.items(), key=lambda each: each[0]))

    def _say(
        self,
        severity: Severity,
        what: str,
        about: Policy | PolicyException,
        path: Sequence[str | int],
        message: str,
        fix: str,
        others: Iterable[str],
    ) -> None:
        order, document = self._documents[id(about)]
        found = PolicyFinding(
            id=what,
            severity=severity,
            kind=document.kind,
            about=document.title,
            where=document.where(*path),
            message=message,
            fix=fix,
            others=tuple(others),
        )
        self._found[(order, document.line(*path), what, message)] = found
