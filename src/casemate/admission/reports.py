"""What an audit found, as PolicyReports (`wgpolicyk8s.io/v1alpha2`) or OpenReports (`openreports.io/v1alpha1`).

1. One report per namespace, one result per policy and rule: the size does not grow with the workloads, and never is
   there an object per Pod. At most ten objects are named.
2. `fail` is what an enforcing policy would refuse, `warn` what one that warns or audits would. Of more than 200 results
   the last are those of policies that do not enforce, and are left out, which a result says: the API server takes no
   object beyond 1.5 MiB. The summary counts all of them.
3. Written where the API is served, both where both are. A report that would stay the same is not written again; one of
   a namespace without workloads is removed.
4. A namespace whose report cannot be written, as one that is being deleted, keeps no other from its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec
import structlog

from casemate.admission.audit import NAMED, Count, Named, Tally
from casemate.admission.kube import METADATA_LIST, Kube, Object, StatusError
from casemate.model.policy import Mode

NAME: Final = "casemate-isolation"
MOST: Final = 200
_MANAGED: Final = {"app.kubernetes.io/managed-by": "casemate"}
_NOT_FOUND: Final = 404
_RESULTS: Final = ("pass", "fail", "warn", "error", "skip")

_log = structlog.get_logger("casemate.admission")


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
    if len(results) > MOST:
        results.sort(key=lambda each: each["result"] != "fail")
        results[MOST:] = [_left_out(len(results) - MOST)]
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


def _left_out(count: int) -> Object:
    message = f"{count} more results are left out; the metric casemate_audit_violations has them"
    return {"source": "casemate", "policy": "casemate", "category": "isolation", "result": "skip", "message": message}


def _reference(named: Named, namespace: str) -> Object:
    found: Object = {"apiVersion": named.api_version, "kind": named.kind, "name": named.name, "namespace": namespace}
    return found | ({"uid": named.uid} if named.uid else {})


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Named(msgspec.Struct):
    metadata: _Meta


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
        written = [await self._apply(api, each, tally, there=each in before) for each in sorted(wanted)]
        for namespace in sorted(before - wanted):
            await self._remove(api, namespace)
        return sum(written)

    async def _apply(self, api: Api, namespace: str, tally: Tally, *, there: bool) -> bool:
        body = report(api, namespace, tally)
        digest = hashlib.sha256(msgspec.json.encode(body)).digest()
        if there and self._written.get((api.kind, namespace)) == digest:
            return True
        try:
            await self._kube.apply(api.path(namespace), body)
        except StatusError as error:
            _log.warning("report not written", kind=api.kind, namespace=namespace, error=str(error))
            return False
        self._written[api.kind, namespace] = digest
        return True

    async def _remove(self, api: Api, namespace: str) -> None:
        self._written.pop((api.kind, namespace), None)
        try:
            await self._kube.ask("DELETE", api.path(namespace))
        except StatusError as error:
            if error.code != _NOT_FOUND:
                _log.warning("report not removed", kind=api.kind, namespace=namespace, error=str(error))

    async def _existing(self, api: Api) -> set[str]:
        """Namespaces with a report of ours."""
        found: set[str] = set()
        path, selector = f"/apis/{api.version}/{api.plural}", "app.kubernetes.io/managed-by=casemate"
        async for page in self._kube.pages(path, METADATA_LIST, selector):
            metas = (msgspec.json.decode(each, type=_Named).metadata for each in page.items or ())
            found |= {each.namespace for each in metas if each.name == NAME}
        return found
