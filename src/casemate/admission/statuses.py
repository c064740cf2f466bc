"""What casemate makes of each policy and exception, as its status: whether it is applied, is sound, and bites.

1. `Accepted`: the document, in the generation that was observed, is applied. Unreadable: what it said before is, if
   anything.
2. `Sound`: `casemate policy check` finds no error in it, alone or together with others (`checking`). False: the reason
   is what was found first, such as `EmptyIntersection`. Warnings leave it True, with the reason `Warnings`. The message
   tells the first five findings, errors first: its size does not grow with the policies.
3. `Bites`, of policies: their probes were denied; unknown where it could not be probed.
4. A document that has changed since it was probed and checked has to wait for its next turn: nothing is said of what
   was not looked at.
5. A status is written when it says something else than before; its times are when a condition changed. An object that
   was made anew under the same name has none yet.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from casemate.admission.bites import Bite, Bitten
from casemate.admission.checking import Findings
from casemate.admission.cluster_rules import ClusterRules, Document
from casemate.admission.kube import Kube, Object, StatusError, Unreached
from casemate.admission.probes import Unprobed
from casemate.admission.published import Rules
from casemate.model.policy import Policy, PolicyException
from casemate.model.policy_findings import PolicyFinding, Severity
from casemate.sources.policies import EXCEPTION, POLICY

_ROOT: Final = "/apis/casemate.dev/v1alpha1"
_LONGEST: Final = 4096
_MOST: Final = 5
_TOLD: Final = 600

_log = structlog.get_logger("casemate.admission")


def accepted(problem: str) -> Object:
    """The condition `Accepted`."""
    if problem:
        return _condition("Accepted", "False", "Unreadable", problem)
    return _condition("Accepted", "True", "Applied", "it is read and applied")


def sound(findings: Sequence[PolicyFinding], problem: str) -> Object:
    """The condition `Sound`."""
    if problem:
        return _condition("Sound", "Unknown", "Unreadable", "only what can be read is checked")
    if not findings:
        return _condition("Sound", "True", "NothingFound", "nothing is wrong with it, alone and beside the others")
    ordered = sorted(findings, key=lambda each: each.severity is not Severity.ERROR)
    told = [f"{each.where}: {each.message}{f' → {each.fix}' if each.fix else ''}"[:_TOLD] for each in ordered[:_MOST]]
    more = [f"and {len(ordered) - _MOST} more"] if len(ordered) > _MOST else []
    first = ordered[0]
    wrong = first.severity is Severity.ERROR
    reason = first.id.title().replace("-", "") if wrong else "Warnings"
    return _condition("Sound", "False" if wrong else "True", reason, "\n".join([*told, *more]))


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
    return {"type": kind, "status": state, "reason": reason, "message": message[:_LONGEST]}


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


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written of an object."""

    uid: str
    generation: int
    conditions: Sequence[Object]


class Statuses:
    """Writes statuses, and knows what it wrote."""

    def __init__(self, kube: Kube, rules: ClusterRules) -> None:
        self._kube = kube
        self._rules = rules
        self._written: dict[str, _Written] = {}

    async def write(
        self, rules: Rules, outcomes: Sequence[Bitten], unprobed: Sequence[Unprobed], findings: Findings
    ) -> None:
        """Write what differs, of what these rules have. One that cannot be written is tried again the next time."""
        known, self._written = self._written, {}
        applied: dict[tuple[str, str], Policy | PolicyException] = {
            **{(POLICY, each.title): each for each in rules.policies},
            **{(EXCEPTION, each.name): each for each in rules.exceptions},
        }
        for kind, title, path, document in list(self._documents()):
            if document.value is not None and document.value != applied.get((kind, title)):
                continue
            bitten = None if kind == EXCEPTION else bites(title, outcomes, unprobed)
            checked = sound(findings.get((kind, title), ()), document.problem)
            conditions = [each for each in (accepted(document.problem), checked, bitten) if each]
            wanted = _Written(document.uid, document.generation, conditions)
            if known.get(path) == wanted or await self._write(path, document.generation, conditions):
                self._written[path] = wanted

    def _documents(self) -> Iterator[tuple[str, str, str, Document[Policy] | Document[PolicyException]]]:
        """Kind, title and path of each, as the cluster has it now."""
        rules = self._rules
        kinds: tuple[tuple[str, str, Mapping[str, Document[Policy] | Document[PolicyException]]], ...] = (
            (POLICY, "isolationpolicies", rules.policies.items),
            (POLICY, "namespacedisolationpolicies", rules.narrowing.items),
            (EXCEPTION, "isolationexceptions", rules.exceptions.items),
        )
        for kind, plural, items in kinds:
            for key, document in items.items():
                namespace, _, name = key.partition("/")
                place = f"/namespaces/{namespace}" if namespace else ""
                yield kind, key.lstrip("/"), f"{_ROOT}{place}/{plural}/{name}", document

    async def _write(self, path: str, generation: int, conditions: Sequence[Object]) -> bool:
        try:
            found = await self._kube.get(path)
            before = found.get("status")
            known = before if isinstance(before, dict) else {}
            wanted = status(conditions, generation, known, datetime.datetime.now(datetime.UTC))
            if wanted != known:
                await self._kube.merge(f"{path}/status", {"status": wanted})
        except (StatusError, Unreached) as error:
            _log.warning("status not written", path=path, error=str(error))
            return False
        return True
