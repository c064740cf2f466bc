"""What an audit found, as PolicyReports (`wgpolicyk8s.io/v1alpha2`) or OpenReports (`openreports.io/v1alpha1`).

1. One report per namespace, one result per policy and rule: the size does not grow with the workloads, and never is
   there an object per Pod. At most ten objects are named.
2. `fail` is what an enforcing policy would refuse, `warn` what one that warns or audits would.
3. Written where the API is served, both where both are. A report that would stay the same is not written again; one of
   a namespace without workloads is removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from casemate.admission.audit import NAMED, Count, Named, Tally
from casemate.admission.kube import Kube, Object, StatusError
from casemate.model.policy import Mode

NAME: Final = "casemate-isolation"
_MANAGED: Final = {"app.kubernetes.io/managed-by": "casemate"}
_NOT_FOUND: Final = 404
_RESULTS: Final = ("pass", "fail", "warn", "error", "skip")


@dataclass(frozen=True, slots=True)
class Api:
    """One of the two report APIs, which say the same in slightly different words."""

    version: str
    kind: str
    plural: str

    def path(self, namespace: str) -> str:
        """Where the report of a namespace is."""
        return f"/apis/{self.version}/namespaces/{quote(namespace, safe='')}/{self.plural}/{NAME}"


APIS: Final = (
    Api("wgpolicyk8s.io/v1alpha2", "PolicyReport", "policyreports"),
    Api("openreports.io/v1alpha1", "Report", "reports"),
)


def report(api: Api, namespace: str, tally: Tally) -> Object:
    """The report of one namespace."""
    judged = tally.judged[namespace]
    results = [_result(policy, rule, count, namespace, judged) for policy, rule, count in tally.of_namespace(namespace)]
    counts = Counter(str(each["result"]) for each in results)
    body: Object = {
        "apiVersion": api.version,
        "kind": api.kind,
        "metadata": {"name": NAME, "namespace": namespace, "labels": _MANAGED},
        "scope": {"apiVersion": "v1", "kind": "Namespace", "name": namespace},
        "summary": {each: counts[each] for each in _RESULTS},
        "results": results,
    }
    return body | ({"source": "casemate"} if api.kind == "Report" else {})


def _result(policy: str, rule: str, count: Count, namespace: str, judged: int) -> Object:
    names = ", ".join(f"{each.kind} {each.name}" for each in count.named)
    more = f" and {count.objects - NAMED} more" if count.objects > NAMED else ""
    return {
        "source": "casemate",
        "policy": policy,
        "rule": rule,
        "category": "isolation",
        "result": "fail" if count.mode is Mode.ENFORCE else "warn",
        "scored": True,
        "severity": "high" if count.mode is Mode.ENFORCE else "medium",
        "message": f"{count.message}; {count.objects} of {judged}: {names}{more}"[:1024],
        "properties": {"objects": str(count.objects), "judged": str(judged), "mode": str(count.mode)},
        "resources": [_reference(each, namespace) for each in count.named],
    }


def _reference(named: Named, namespace: str) -> Object:
    found: Object = {"apiVersion": named.api_version, "kind": named.kind, "name": named.name, "namespace": namespace}
    return found | ({"uid": named.uid} if named.uid else {})


class Reports:
    """Writes reports, and knows what it wrote."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._written: dict[tuple[str, str], bytes] = {}

    async def write(self, tally: Tally, namespaces: Mapping[str, object]) -> int:
        """Write what differs. How many reports there are, of all APIs."""
        return sum([await self._write(each, tally, namespaces) for each in APIS])

    async def _write(self, api: Api, tally: Tally, namespaces: Mapping[str, object]) -> int:
        try:
            before = await self._existing(api)
        except StatusError as error:
            if error.code == _NOT_FOUND:  # The API is not served here.
                return 0
            raise
        wanted = {each for each, judged in tally.judged.items() if judged and each in namespaces}
        for namespace in sorted(wanted):
            await self._apply(api, namespace, tally)
        for namespace in sorted(before - wanted):
            self._written.pop((api.kind, namespace), None)
            await self._kube.ask("DELETE", api.path(namespace))
        return len(wanted)

    async def _apply(self, api: Api, namespace: str, tally: Tally) -> None:
        body = report(api, namespace, tally)
        encoded = msgspec.json.encode(body)
        if self._written.get((api.kind, namespace)) != encoded:
            await self._kube.apply(api.path(namespace), body)
            self._written[api.kind, namespace] = encoded

    async def _existing(self, api: Api) -> set[str]:
        selector = "labelSelector=" + quote("app.kubernetes.io/managed-by=casemate", safe="")
        found = await self._kube.get(f"/apis/{api.version}/{api.plural}?{selector}")
        items = found.get("items")
        metas = [each.get("metadata") for each in items if isinstance(each, dict)] if isinstance(items, list) else []
        return {str(each.get("namespace")) for each in metas if isinstance(each, dict) and each.get("name") == NAME}
