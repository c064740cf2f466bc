"""One replica of several that audits, probes and reports: who holds the Lease.

1. The holder renews its Lease every few seconds. Whoever finds it unrenewed for as long as it lasts takes it; of two
   that try, the version that they read lets one win.
2. Time is measured by each replica's own clock from when it saw the Lease change: clocks need not agree.
3. Who cannot renew in time counts as no leader any more before anyone else can be.
4. A leader that ends lets go of the Lease, and the next one need not wait.

Source: k8s.io/client-go/tools/leaderelection, whose Leases this is compatible with.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from dataclasses import dataclass, field
from typing import Final

import structlog

from casemate.admission.kube import Kube, Object, StatusError, Unreached
from casemate.errors import CasemateError

LEASE: Final = "casemate-admission"
LASTS: Final = 15.0
_EVERY: Final = 3.0
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409

_log = structlog.get_logger("casemate.admission")


@dataclass(slots=True)
class Watcher:
    """When a Lease was last seen to change."""

    seen: tuple[str, str] = ("", "")
    since: float = 0.0

    def may_take(self, holder: str, renewed: str, me: str, now: float) -> bool:
        """Whether the Lease is ours to renew or take. To be asked each time that the Lease is read."""
        if (holder, renewed) != self.seen:
            self.seen, self.since = (holder, renewed), now
        return holder in ("", me) or now - self.since > LASTS


@dataclass(slots=True)
class Leader:
    """This replica's part."""

    kube: Kube
    namespace: str
    name: str
    _watcher: Watcher = field(default_factory=Watcher)
    _until: float = 0.0

    @property
    def leads(self) -> bool:
        """Whether this replica is the one, for now."""
        return time.monotonic() < self._until

    async def hold(self) -> None:
        """Take the Lease when nobody has it, and renew it. Never ends."""
        while True:
            before = self.leads
            try:
                await self._try()
            except (StatusError, Unreached, CasemateError) as error:
                _log.warning("no Lease", error=str(error))
            if self.leads is not before:
                _log.info("leads" if self.leads else "does not lead", name=self.name)
            await asyncio.sleep(_EVERY)

    async def release(self) -> None:
        """Let go of the Lease, if it is ours."""
        if not self.leads:
            return
        self._until = 0.0
        try:
            found = await self.kube.get(f"{self._leases}/{LEASE}")
            await self.kube.replace(f"{self._leases}/{LEASE}", found | {"spec": _spec(found) | {"holderIdentity": ""}})
        except (StatusError, Unreached, CasemateError) as error:
            _log.warning("Lease not released", error=str(error))

    @property
    def _leases(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    async def _try(self) -> None:
        began = time.monotonic()
        try:
            found = await self.kube.get(f"{self._leases}/{LEASE}")
        except StatusError as error:
            if error.code != _NOT_FOUND:
                raise
            write = self.kube.create(self._leases, {"metadata": {"name": LEASE}, "spec": self._taken({})})
        else:
            spec = _spec(found)
            holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
            if not self._watcher.may_take(holder, renewed, self.name, began):
                self._until = 0.0
                return
            write = self.kube.replace(f"{self._leases}/{LEASE}", found | {"spec": self._taken(spec)})
        try:
            await write
        except StatusError as error:
            if error.code != _CONFLICT:
                raise
            return  # another replica was faster
        self._until = began + LASTS * 2 / 3

    def _taken(self, spec: Object) -> Object:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        fresh: Object = {"holderIdentity": self.name, "leaseDurationSeconds": int(LASTS), "renewTime": now}
        if spec.get("holderIdentity") == self.name:
            return spec | fresh
        changes = spec.get("leaseTransitions")
        return spec | fresh | {"acquireTime": now, "leaseTransitions": (changes if isinstance(changes, int) else 0) + 1}


def _spec(lease: Object) -> Object:
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}
