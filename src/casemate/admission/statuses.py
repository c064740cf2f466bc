"""What casemate makes of each policy, as its status: whether it can be read and applied, and whether it bites.

1. `Accepted`: the policy, in the generation that was observed, is applied. Unreadable: what it said before is, if
   anything. `Bites`: its probes were denied; unknown where it could not be probed.
2. A status is written when it says something else than before; its times are when a condition changed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

import structlog

from casemate.admission.bites import Bite, Bitten
from casemate.admission.cluster_rules import ClusterRules
from casemate.admission.kube import Kube, Object, StatusError, Unreached
from casemate.admission.probes import Unprobed

_ROOT = "/apis/casemate.dev/v1alpha1"

_log = structlog.get_logger("casemate.admission")


def accepted(problem: str) -> Object:
    """The condition `Accepted`."""
    if problem:
        return _condition("Accepted", "False", "Unreadable", problem)
    return _condition("Accepted", "True", "Applied", "it is read and applied")


def bites(title: str, outcomes: Iterable[Bitten], unprobed: Iterable[Unprobed]) -> Object | None:
    """The condition `Bites` of a policy; None when nothing was tried."""
    for skipped in unprobed:
        if skipped.policy == title:
            return _condition("Bites", "Unknown", "NotProbed", skipped.why)
    found = [each for each in outcomes if each.policy == title]
    through = [each.rule for each in found if each.bite is Bite.LET_THROUGH]
    if through:
        return _condition("Bites", "False", "LetThrough", f"what must be denied was let through: {', '.join(through)}")
    denied = [each.rule for each in found if each.bite is Bite.DENIED]
    if denied:
        return _condition("Bites", "True", "Denied", f"probes were denied: {', '.join(sorted(denied))}")
    return _condition("Bites", "Unknown", "NoAnswer", found[0].why or "no answer") if found else None


def _condition(kind: str, state: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": state, "reason": reason, "message": message[:1024]}


def status(conditions: Iterable[Object], generation: int, before: Object, now: datetime.datetime) -> Object:
    """The status to write, with times taken over from conditions that stay as they are."""
    listed = before.get("conditions")
    known = {each.get("type"): each for each in listed if isinstance(each, dict)} if isinstance(listed, list) else {}
    return {
        "observedGeneration": generation,
        "conditions": [
            each
            | {"observedGeneration": generation, "lastTransitionTime": _since(each, known.get(each["type"], {}), now)}
            for each in conditions
        ],
    }


def _since(condition: Object, before: Object, now: datetime.datetime) -> object:
    if before.get("status") == condition["status"] and before.get("lastTransitionTime"):
        return before["lastTransitionTime"]
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


class Statuses:
    """Writes statuses, and knows what it wrote."""

    def __init__(self, kube: Kube, rules: ClusterRules) -> None:
        self._kube = kube
        self._rules = rules
        self._written: dict[str, tuple[int, Sequence[Object]]] = {}

    async def write(self, outcomes: Sequence[Bitten], unprobed: Sequence[Unprobed]) -> None:
        """Write what differs. One that cannot be written is tried again the next time."""
        kinds = (
            ("isolationpolicies", self._rules.policies.items),
            ("namespacedisolationpolicies", self._rules.narrowing.items),
            ("isolationexceptions", self._rules.exceptions.items),
        )
        for plural, items in kinds:
            for key, document in items.items():
                namespace, _, name = key.partition("/")
                title = f"{namespace}/{name}" if namespace else name
                bitten = None if plural == "isolationexceptions" else bites(title, outcomes, unprobed)
                conditions = [each for each in (accepted(document.problem), bitten) if each]
                place = f"/namespaces/{namespace}" if namespace else ""
                await self._write(f"{_ROOT}{place}/{plural}/{name}", document.generation, conditions)

    async def _write(self, path: str, generation: int, conditions: Sequence[Object]) -> None:
        if self._written.get(path) == (generation, conditions):
            return
        try:
            found = await self._kube.get(path)
            before = found.get("status")
            known = before if isinstance(before, dict) else {}
            wanted = status(conditions, generation, known, datetime.datetime.now(datetime.UTC))
            if wanted != known:
                await self._kube.merge(f"{path}/status", {"status": wanted})
        except (StatusError, Unreached) as error:
            _log.warning("status not written", path=path, error=str(error))
            return
        self._written[path] = (generation, conditions)
