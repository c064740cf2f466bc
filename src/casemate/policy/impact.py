"""What policies would do to workloads that are there already, before they are switched on.

1. Every policy is taken as if it enforced: what warns today is what denies tomorrow.
2. Each workload is judged as if it were created again: that is when it would meet the policies. Nobody is known to ask.
3. The labels of a namespace that a completely known cluster does not have are unknown.
4. The cost is that of a Pod under its new class less that under its present one: the RuntimeClass's overhead where it
   is known, else the catalogue's. What is not known of either is not known of both.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.decide import candidates
from casemate.model.assessment import Cost
from casemate.model.policy import (
    Decision,
    Mode,
    Policy,
    PolicyException,
    PolicySettings,
    Request,
    Rule,
    Verdict,
)
from casemate.model.policy_impact import Effect, Impact
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload
from casemate.policy.asking import labels_of
from casemate.policy.evaluate import PolicySet

_BREAKING: Final = frozenset({Rule.WOULD_BREAK, Rule.NO_NODE})
_DEFAULT: Final = "default"


class Foresight:
    """Judges workloads of the same surroundings as if all policies enforced."""

    def __init__(
        self,
        policies: Iterable[Policy],
        exceptions: Iterable[PolicyException],
        surroundings: Surroundings,
        catalogue: Catalogue,
        settings: PolicySettings,
    ) -> None:
        strict = [replace(each, spec=replace(each.spec, mode=Mode.ENFORCE)) for each in policies]
        self._policies = PolicySet(strict, tuple(exceptions), surroundings, catalogue, settings)
        self._surroundings = surroundings
        self._catalogue = catalogue
        self._default = settings.default_handler

    def impacts(self, workloads: Iterable[Workload], now: datetime.datetime) -> Iterator[Impact]:
        """What would become of each workload."""
        for each in workloads:
            placed = replace(each, namespace=each.namespace or _DEFAULT)
            verdict = self._policies.evaluate(Request(workload=placed, namespace_labels=self._labels(placed)), now)
            yield self._impact(placed, verdict)

    def _labels(self, workload: Workload) -> dict[str, str] | None:
        known = self._surroundings.namespaces
        if self._surroundings.complete and workload.namespace not in known:
            return None
        return labels_of(workload.namespace, None, known)

    def _impact(self, workload: Workload, verdict: Verdict) -> Impact:
        before = workload.spec.runtimeClassName or ""
        after = next((each.value for each in verdict.patch if isinstance(each.value, str)), before)
        more = Cost() if after == before else self._more(self._cost(before), self._cost(after))
        return Impact(
            title=workload.title,
            namespace=workload.namespace,
            where=str(workload.source),
            effect=_effect(verdict),
            before=before,
            after=after,
            reasons=verdict.reasons,
            more=more,
        )

    def _cost(self, name: str) -> Cost:
        runtimes = self._catalogue.runtimes
        if not name:
            return candidates.cost(runtimes.of_handler(self._default), None)
        document = self._surroundings.runtime_class(name)
        if document is None:
            return candidates.cost(runtimes.of_class(name), None)
        selector = document.scheduling.nodeSelector if document.scheduling else {}
        return candidates.cost(runtimes.of_handler(document.handler, selector), document)

    def _more(self, before: Cost, after: Cost) -> Cost:
        memory = None if before.memory is None or after.memory is None else after.memory - before.memory
        cpu = None if before.cpu is None or after.cpu is None else after.cpu - before.cpu
        start = None
        if before.start_seconds is not None and after.start_seconds is not None:
            start = after.start_seconds - before.start_seconds
        return Cost(memory=memory, cpu=cpu, start_seconds=start, source=after.source)


def _effect(verdict: Verdict) -> Effect:
    if verdict.decision is Decision.DENY:
        breaking = any(each.rule in _BREAKING and each.mode is Mode.ENFORCE for each in verdict.reasons)
        return Effect.BREAKS if breaking else Effect.DENY
    return Effect.CHANGE if verdict.decision is Decision.CHANGE else Effect.NOTHING
