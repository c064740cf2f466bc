"""Read what exists from the API server and judge it (`audit`), page by page.

1. Kinds are read one after another in pages; memory holds one page and the tally. Judging gives way to other work.
2. A kind that cannot be listed is left out, and the log says so: what was not looked at is no finding.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec
import structlog

from casemate.admission import size
from casemate.admission.audit import Object, Tally
from casemate.admission.kube import Kube, StatusError, Unreached
from casemate.policy.evaluate import PolicySet

_KINDS: Final = (
    ("/api/v1/pods", "v1", "Pod"),
    ("/api/v1/replicationcontrollers", "v1", "ReplicationController"),
    ("/api/v1/podtemplates", "v1", "PodTemplate"),
    ("/apis/apps/v1/deployments", "apps/v1", "Deployment"),
    ("/apis/apps/v1/statefulsets", "apps/v1", "StatefulSet"),
    ("/apis/apps/v1/daemonsets", "apps/v1", "DaemonSet"),
    ("/apis/batch/v1/jobs", "batch/v1", "Job"),
    ("/apis/batch/v1/cronjobs", "batch/v1", "CronJob"),
)
_ENDED: Final = ("Succeeded", "Failed")
_GIVES_WAY_EVERY: Final = 50

_log = structlog.get_logger("casemate.admission")


async def audit(kube: Kube, policies: PolicySet, namespaces: Mapping[str, dict[str, str]]) -> Tally:
    """Judge every workload of the cluster as if it were made now. Finished Pods hold nothing any more."""
    tally = Tally()
    now = datetime.datetime.now(datetime.UTC)
    for path, version, kind in _KINDS:
        try:
            async for value in _objects(kube, path, version, kind):
                if size.is_too_large(value):
                    _log.warning("not audited: too many entries", kind=kind, namespace=_namespace(value))
                    continue
                tally.take(policies, value, namespaces.get(_namespace(value)), now)
        except (StatusError, Unreached, msgspec.DecodeError) as error:
            _log.warning("not audited", kind=kind, error=str(error))
    return tally


async def _objects(kube: Kube, path: str, version: str, kind: str) -> AsyncIterator[Object]:
    async for page in kube.pages(path):
        for number, raw in enumerate(page.items or ()):
            value = msgspec.json.decode(raw, type=dict[str, object])
            status = value.get("status")
            if not (isinstance(status, dict) and kind == "Pod" and status.get("phase") in _ENDED):
                yield {"apiVersion": version, "kind": kind} | value
            if number % _GIVES_WAY_EVERY == 0:
                await asyncio.sleep(0)


def _namespace(value: Object) -> str:
    meta = value.get("metadata")
    return str(meta.get("namespace", "")) if isinstance(meta, dict) else ""
