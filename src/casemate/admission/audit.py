"""What exists already, judged by the policies that hold now. Pure.

1. Every object that would be judged if it were made now is: Pods, static ones too (their mirror Pods), and templates.
2. Counted is what would be refused. A Pod that would have been given another class counts too, as it runs without it;
   a template does not: its Pods get the class.
3. Casemate's own namespace is audited, although it is never refused.
4. Nobody is known to ask. Policies about users say so at admission, and nothing here.
5. A tally has one entry per namespace, policy and rule, and names ten objects: its size does not grow with the Pods.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from casemate.errors import InputError
from casemate.model.policy import Decision, Mode, Operation, PolicyReason, Request, Rule
from casemate.model.workload import Workload
from casemate.policy.evaluate import PolicySet
from casemate.sources import requests

NAMED: Final = 10
_SAYS_NOTHING: Final = frozenset({Rule.EXEMPT, Rule.EXCEPTION, Rule.IDENTITY_UNKNOWN})
_CHANGES: Final = frozenset({Rule.DEFAULT_SET, Rule.UPGRADED})

Object = dict[str, object]


@dataclass(frozen=True, slots=True)
class Named:
    """An object that is named in a report."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(slots=True)
class Count:
    """How many objects a policy's rule is against, in one namespace."""

    mode: Mode
    message: str
    objects: int = 0
    named: list[Named] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """What one audit found. `judged` counts objects by namespace."""

    counts: dict[tuple[str, str, str], Count] = field(default_factory=dict)
    judged: Counter[str] = field(default_factory=Counter)

    def take(self, policies: PolicySet, value: Object, labels: dict[str, str] | None, now: datetime.datetime) -> None:
        """Judge one object and count what there is against it."""
        meta = value.get("metadata")
        namespace = str(meta.get("namespace", "")) if isinstance(meta, dict) else ""
        try:
            found = requests.workloads(value, namespace)
        except (InputError, RecursionError):
            return  # It was accepted once; what is not readable to us is no finding about isolation.
        self.judged[namespace] += bool(found)
        for workload in found:
            self._judge(policies, workload, labels, now)

    def _judge(
        self, policies: PolicySet, workload: Workload, labels: dict[str, str] | None, now: datetime.datetime
    ) -> None:
        request = Request(workload=workload, operation=Operation.CREATE, namespace_labels=labels)
        verdict = policies.evaluate(request, now)
        changed = verdict.decision is Decision.CHANGE and workload.kind == "Pod"
        seen = set()
        for each in verdict.reasons:
            if each.policy and (each.rule in _CHANGES) <= changed and each.rule not in _SAYS_NOTHING:
                key = (workload.namespace, each.policy, str(each.rule))
                if key not in seen:
                    seen.add(key)
                    self._count(key, each, workload)

    def _count(self, key: tuple[str, str, str], reason: PolicyReason, workload: Workload) -> None:
        count = self.counts.setdefault(key, Count(reason.mode, reason.message))
        count.objects += 1
        if len(count.named) < NAMED:
            count.named.append(Named(workload.api_version, workload.kind, workload.name, workload.source.uid))

    def of_namespace(self, namespace: str) -> Iterator[tuple[str, str, Count]]:
        """The policies and rules with what they count there, in order."""
        for (name, policy, rule), count in sorted(self.counts.items(), key=lambda each: each[0]):
            if name == namespace:
                yield policy, rule, count
