"""What `casemate policy check` finds in the cluster's own policies and exceptions, for their status.

1. Checked is what is applied, together with the cluster's RuntimeClasses, Nodes and Namespaces. Of a document that
   cannot be read, that is what it said before.
2. A finding belongs to the document that it is about, and to every other one that has its part in it: whichever of two
   policies in conflict somebody looks at, it says so.
3. It is done anew when rules or namespaces have changed, when an exception ends, and every hour. It runs beside the
   event loop, which has probes of liveness to answer meanwhile.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from casemate.admission.published import Rules
from casemate.catalogue import Catalogue
from casemate.model.policy_findings import PolicyFinding
from casemate.model.surroundings import Surroundings
from casemate.policy.check import check
from casemate.policy.evaluate import PolicySet
from casemate.policy.exceptions import ends
from casemate.sources.policies import EXCEPTION, NAMESPACED, POLICY, PolicyDocument, PolicyInput

_HOUR: Final = datetime.timedelta(hours=1)
_START: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)

Namespaces: TypeAlias = Mapping[str, dict[str, str]]
Findings: TypeAlias = Mapping[tuple[str, str], Sequence[PolicyFinding]]
"""Findings by kind and title. Policies that narrow count as policies: their titles name their namespaces."""


def findings(
    rules: Rules, of: PolicySet, namespaces: Namespaces, catalogue: Catalogue, now: datetime.datetime
) -> Findings:
    """What is wrong with each document. Takes seconds where there are thousands."""
    around = replace(rules.surroundings, namespaces=dict(namespaces))
    found: dict[tuple[str, str], list[PolicyFinding]] = {}
    for each in check(_input(rules, around), of, around, catalogue, now):
        for title in (each.about, *each.others):
            found.setdefault((EXCEPTION if each.kind == EXCEPTION else POLICY, title), []).append(each)
    return found


def _input(rules: Rules, around: Surroundings) -> PolicyInput:
    documents = tuple(_documents(rules))
    return PolicyInput(rules.policies, rules.exceptions, around, documents)


def _documents(rules: Rules) -> Iterator[PolicyDocument]:
    for policy in rules.policies:
        yield PolicyDocument(NAMESPACED if policy.namespace else POLICY, policy.title)
    for exception in rules.exceptions:
        yield PolicyDocument(EXCEPTION, exception.name)


class Checker:
    """Checks, and knows what it found until something is different."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._found: Findings = {}
        self._of: tuple[int, Namespaces] = (0, {})
        self._until = _START

    async def found(self, rules: Rules, of: PolicySet, namespaces: Namespaces) -> Findings:
        """What is wrong now."""
        now = datetime.datetime.now(datetime.UTC)
        if self._of != (rules.revision, namespaces) or now >= self._until:
            self._found = await asyncio.to_thread(findings, rules, of, namespaces, self._catalogue, now)
            self._of, self._until = (rules.revision, namespaces), _until(rules, now)
        return self._found


def _until(rules: Rules, now: datetime.datetime) -> datetime.datetime:
    coming = (ends(each.spec.expires) for each in rules.exceptions)
    return min((now + _HOUR, *(each for each in coming if each > now)))
