"""Startup, liveness and readiness probes, with the kubelet's defaults and meaning.

Rules, in the order of the code (Kubernetes: Pod lifecycle, "Container probes"):

1. Until the startup probe has passed, no other probe of the container runs; when it fails, the container is condemned.
2. A liveness probe starts out as passed, a readiness probe as failed; a container that a former supervisor knew goes on
   from what it knew, without a second initial delay.
3. A result counts after `successThreshold` (1) or `failureThreshold` (3) equal results in a row.
4. HTTP passes from 200 to 399, over TLS without verification; gRPC when the health service answers SERVING; exec with
   exit code 0; TCP when a connection opens. Anything that takes longer than `timeoutSeconds` (1) has failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from casemate.engine.cri.client import CriClient
from casemate.engine.supervise import checks
from casemate.errors import CasemateError
from casemate.model.kube.container import Container, Probe

DEFAULT_PERIOD = 10.0
DEFAULT_FAILURES = 3


class ProbeKind(Enum):
    """Which of a container's three probes."""

    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(frozen=True)
class Target:
    """The running container that is probed. `address` is the Pod's IP, or loopback on the host's network.

    `started` and `ready` are what an earlier supervisor knew of it.
    """

    container: Container
    id: str
    address: str
    started: bool = False
    ready: bool = False


class Streak:
    """Counts equal results in a row and tells when they have become the verdict (rule 3)."""

    def __init__(self, probe: Probe, verdict: bool | None) -> None:
        self.verdict = verdict
        self._success = probe.successThreshold or 1
        self._failure = probe.failureThreshold or DEFAULT_FAILURES
        self._last: bool | None = None
        self._length = 0

    def take(self, passed: bool) -> bool:
        """Take one result; true when the verdict has changed by it."""
        self._length = self._length + 1 if passed is self._last else 1
        self._last = passed
        if self._length < (self._success if passed else self._failure) or self.verdict is passed:
            return False
        self.verdict = passed
        return True


async def watch(client: CriClient, target: Target, report: Callable[[ProbeKind, bool], None]) -> None:
    """Probe a container until cancelled, reporting every change of verdict (rules 1 and 2)."""
    container = target.container
    if container.startupProbe and not target.started:
        streak = Streak(container.startupProbe, None)
        await _probe(client, target, container.startupProbe, streak, ProbeKind.STARTUP, report, until_passed=True)
    report(ProbeKind.STARTUP, True)
    async with asyncio.TaskGroup() as group:
        if container.livenessProbe:
            probe, streak = container.livenessProbe, Streak(container.livenessProbe, True)
            group.create_task(_probe(client, target, probe, streak, ProbeKind.LIVENESS, report))
        if container.readinessProbe:
            probe, streak = container.readinessProbe, Streak(container.readinessProbe, target.ready or None)
            group.create_task(_probe(client, target, probe, streak, ProbeKind.READINESS, report))
        else:
            report(ProbeKind.READINESS, True)


async def _probe(
    client: CriClient,
    target: Target,
    probe: Probe,
    streak: Streak,
    kind: ProbeKind,
    report: Callable[[ProbeKind, bool], None],
    *,
    until_passed: bool = False,
) -> None:
    await asyncio.sleep(0 if target.started else probe.initialDelaySeconds or 0)
    while True:
        passed = await _once(client, target, probe)
        if streak.take(passed):
            if until_passed and passed:
                return
            report(kind, passed)
        await asyncio.sleep(probe.periodSeconds or DEFAULT_PERIOD)


async def _once(client: CriClient, target: Target, probe: Probe) -> bool:
    limit = float(probe.timeoutSeconds or 1)
    try:
        async with asyncio.timeout(limit + 1):
            return await _check(client, target, probe, limit)
    except (CasemateError, OSError, TimeoutError):
        return False


async def _check(client: CriClient, target: Target, probe: Probe, limit: float) -> bool:
    if probe.exec:
        return await checks.command(client, target.id, probe.exec.command, limit)
    if probe.httpGet:
        return await checks.http(target.container, target.address, probe.httpGet, limit)
    if probe.tcpSocket:
        return await checks.tcp(target.container, target.address, probe.tcpSocket, limit)
    assert probe.grpc is not None
    return await checks.grpc_health(target.address, probe.grpc.port, probe.grpc.service or "", limit)
