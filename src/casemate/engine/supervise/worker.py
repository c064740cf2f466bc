"""Keeps one Pod: looks, decides (`lifecycle`), acts, and looks again when woken."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec

from casemate.engine.cri.faults import EngineUnreachable
from casemate.engine.instance import PodInstance
from casemate.engine.supervise import lifecycle
from casemate.engine.supervise.lifecycle import Condemned, CreateSandbox, Finish, Memory, StartContainer, StopContainer
from casemate.engine.supervise.observed import ObservedContainer, ObservedPod, State
from casemate.engine.supervise.pod_runtime import PodRuntime
from casemate.engine.supervise.pod_status import Boundaries, View, all_started, pod_status
from casemate.engine.supervise.probes import ProbeKind, Target, watch
from casemate.engine.supervise.restart import Crashes, Role, role_of
from casemate.engine.supervise.run_record import PodRecord, RunFolder
from casemate.errors import CasemateError, InputError
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.model.status import Phase, PodStatus

START_TRIES = 3
"""How often a first start is tried before the run is rolled back."""

LONGEST_PAUSE = 30.0
ENGINE_PAUSE = 0.2
EVICTION_PAUSE = 10.0


class PodWorker:
    """The keeper of one Pod. `changed` is called whenever `status` has changed; `known` is set after the first look."""

    def __init__(
        self,
        runtime: PodRuntime,
        record: PodRecord,
        folder: RunFolder,
        boundaries: Boundaries,
        changed: Callable[[], None],
    ) -> None:
        self.record = record
        self.status = record.final or self._first_status(record.instance, boundaries)
        self.start_failure = ""
        self.gone = False
        self.known = False
        self._runtime = runtime
        self._folder = folder
        self._boundaries = boundaries
        self._changed = changed
        self._memory = Memory(
            accepted_at=record.accepted,
            ran=record.start_seconds is not None,
            started=set(record.started),
            ready=set(record.ready),
        )
        self._wake = asyncio.Event()
        self._probers: dict[str, asyncio.Task[None]] = {}
        self._counted: set[str] = set()
        self._observed: ObservedPod | None = None
        self._stale = True
        self._removing = False
        self._ending = False
        self._trouble = ""
        self._failures = 0
        self._limited = any(each.emptyDir and each.emptyDir.sizeLimit is not None for each in self.spec.volumes)
        self._measure_at = 0.0

    @property
    def instance(self) -> PodInstance:
        """The Pod."""
        return self.record.instance

    @property
    def spec(self) -> PodSpec:
        """The Pod's specification."""
        assert self.instance.pod.spec is not None
        return self.instance.pod.spec

    @property
    def serving(self) -> bool:
        """Whether Services may send it requests."""
        return self.status.ready and not self._removing and not self._ending

    def wake(self) -> None:
        """Something may have changed: look again now."""
        self._wake.set()

    def relisted(self, signature: frozenset[tuple[str, int]]) -> None:
        """CRI shows this of the Pod: look again if that is news."""
        if self._observed is None or signature != self._observed.signature:
            self._stale = True
            self.wake()

    def remove(self) -> None:
        """Stop the Pod and remove everything that was made for it."""
        self._removing = True
        self.wake()

    def end(self) -> None:
        """Stop the Pod but keep its containers and logs; it counts as failed."""
        self._ending = True
        self.wake()

    async def run(self) -> None:
        """Keep the Pod until it is removed."""
        while not self.gone:
            self._wake.clear()
            try:
                pause = await self._turn()
            except EngineUnreachable:
                pause, self._stale = ENGINE_PAUSE, True
            except CasemateError as error:
                pause, self._stale = self._note_failure(error), True
            if pause != 0:
                await self._sleep(pause)

    async def _sleep(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _turn(self) -> float | None:
        """One look and what follows from it. Returns the seconds to wait, None for until woken, 0 for not at all."""
        if self._removing:
            await self._remove()
            return 0
        if self.record.final:
            return None
        observed = await self._look()
        if self._ending:
            await self._finish(Finish(Phase.FAILED, "Terminated", "ended by its controller"), observed)
            return None
        if full := await self._over_limit():
            await self._finish(
                Finish(Phase.FAILED, "Evicted", f"emptyDir {', '.join(full)} is over its sizeLimit"), observed
            )
            return None
        decided = lifecycle.plan(self.spec, observed, self._memory, time.time())
        self._publish(observed, dict(decided.backing_off))
        for action in decided.actions:
            self._stale = True
            await self._act(action, observed)
        if decided.actions:
            self._trouble, self._failures = "", 0
            return 0
        if self._limited:
            return min(decided.look_again or EVICTION_PAUSE, EVICTION_PAUSE)
        return decided.look_again

    async def _over_limit(self) -> tuple[str, ...]:
        """Volumes that hold more than their `sizeLimit`: as a kubelet, looked at every 10 s at most."""
        if not self._limited or time.monotonic() < self._measure_at:
            return ()
        self._measure_at = time.monotonic() + EVICTION_PAUSE
        return await self._runtime.over_limit(self.instance)

    async def _look(self) -> ObservedPod:
        if self._observed is not None and not self._stale:
            return self._observed
        self._stale = False
        self._observed = observed = await self._runtime.observe(self.instance)
        for container in observed.containers:
            if container.state is State.EXITED and container.id not in self._counted:
                self._counted.add(container.id)
                self._memory.crashes.setdefault(container.name, Crashes(container.attempt)).count(container)
        self._watch_probes(observed)
        return observed

    async def _act(self, action: lifecycle.Action, observed: ObservedPod) -> None:
        match action:
            case CreateSandbox():
                if action.replaces:
                    await self._stop_containers(observed)
                    await self._runtime.stop_sandbox(action.replaces)
                await self._runtime.make_sandbox(self.instance, action.attempt)
            case StartContainer():
                await self._start(action, observed)
            case StopContainer():
                await self._runtime.stop(
                    self.instance, action.container, action.id, observed.sandbox, self._grace(action.grace)
                )
            case Finish():
                await self._finish(action, observed)

    async def _start(self, action: StartContainer, observed: ObservedPod) -> None:
        assert observed.sandbox is not None
        if action.replaces:
            await self._runtime.client.remove_container(action.replaces)
        sandbox = observed.sandbox
        started = await self._runtime.start(self.instance, action.container, sandbox, action.attempt)
        hook = action.container.lifecycle and action.container.lifecycle.postStart
        if hook:
            wrong = await self._runtime.hook(self.instance, action.container, started, sandbox, hook)
            if wrong:
                self._memory.condemned[started] = Condemned(f"FailedPostStartHook: {wrong}")
        for old in observed.named(action.container.name):
            if old.attempt < action.attempt - 1:
                await self._runtime.client.remove_container(old.id)

    async def _finish(self, finish: Finish, observed: ObservedPod) -> None:
        await self._stop_containers(observed)
        for sandbox in observed.sandboxes:
            await self._runtime.stop_sandbox(sandbox.id)
        self._stale = True
        observed = await self._look()
        self._publish(observed, {}, finish)
        self.record = msgspec.structs.replace(self.record, final=self.status, ended=time.time())
        self._folder.write_pod(self.record)
        self._changed()

    async def _remove(self) -> None:
        observed = await self._look()
        await self._stop_containers(observed)
        await self._runtime.remove(self.instance, observed)
        self._cancel_probes(set())
        self.gone = True
        self._changed()

    async def _stop_containers(self, observed: ObservedPod) -> None:
        """Main and init containers at once, then sidecars in reverse order, all within the Pod's grace (KEP-753)."""
        self._cancel_probes(set())
        deadline = time.monotonic() + self._grace(None)

        async def stop(container: Container, seen: ObservedContainer) -> None:
            left = max(0, round(deadline - time.monotonic()))
            await self._runtime.stop(self.instance, container, seen.id, observed.sandbox, left)

        running = self._running(observed)
        sidecars = [pair for pair in running if role_of(self.spec, pair[0]) is Role.SIDECAR]
        await asyncio.gather(*(stop(*pair) for pair in running if pair not in sidecars))
        for pair in sorted(sidecars, key=lambda pair: self.spec.initContainers.index(pair[0]), reverse=True):
            await stop(*pair)

    def _running(self, observed: ObservedPod) -> list[tuple[Container, ObservedContainer]]:
        known = {each.name: each for each in (*self.spec.initContainers, *self.spec.containers)}
        return [(known[each.name], each) for each in observed.containers if each.state is State.RUNNING]

    def _grace(self, own: int | None) -> int:
        if own is not None:
            return own
        seconds = self.spec.terminationGracePeriodSeconds
        return 30 if seconds is None else seconds

    def _watch_probes(self, observed: ObservedPod) -> None:
        running = {seen.id: container for container, seen in self._running(observed)}
        self._cancel_probes(set(running))
        for container_id, container in running.items():
            if container_id not in self._probers and role_of(self.spec, container) is not Role.INIT:
                target = Target(
                    container,
                    container_id,
                    self._runtime.address(self.instance, observed.sandbox),
                    started=container_id in self._memory.started,
                    ready=container_id in self._memory.ready,
                )
                self._probers[container_id] = asyncio.create_task(self._probe(target))

    async def _probe(self, target: Target) -> None:
        await watch(self._runtime.client, target, lambda kind, passed: self._judge(target, kind, passed))

    def _judge(self, target: Target, kind: ProbeKind, passed: bool) -> None:
        memory, container = self._memory, target.container
        match kind:
            case ProbeKind.READINESS:
                (memory.ready.add if passed else memory.ready.discard)(target.id)
            case ProbeKind.STARTUP if passed:
                memory.started.add(target.id)
            case ProbeKind.STARTUP | ProbeKind.LIVENESS if not passed:
                probe = container.startupProbe if kind is ProbeKind.STARTUP else container.livenessProbe
                grace = probe.terminationGracePeriodSeconds if probe else None
                memory.condemned[target.id] = Condemned(f"{kind.value} probe failed", grace)
                memory.ready.discard(target.id)
        self._remember_probes()
        self.wake()

    def _remember_probes(self) -> None:
        started, ready = tuple(sorted(self._memory.started)), tuple(sorted(self._memory.ready))
        if (started, ready) != (self.record.started, self.record.ready):
            self.record = msgspec.structs.replace(self.record, started=started, ready=ready)
            self._folder.write_pod(self.record)

    def _cancel_probes(self, keep: set[str]) -> None:
        for container_id in set(self._probers) - keep:
            self._probers.pop(container_id).cancel()
            self._memory.ready.discard(container_id)
            self._memory.started.discard(container_id)

    def _note_failure(self, error: CasemateError) -> float:
        self._failures += 1
        self._trouble = str(error)
        hopeless = isinstance(error, InputError) or self._failures >= START_TRIES
        if hopeless and self.record.start_seconds is None and not self._removing:
            self.start_failure = self._trouble
        self.status = msgspec.structs.replace(self.status, reason="FailedCreate", message=self._trouble)
        self._changed()
        return float(min(0.5 * 2 ** (self._failures - 1), LONGEST_PAUSE))

    def _publish(self, observed: ObservedPod, backing_off: dict[str, float], finish: Finish | None = None) -> None:
        if self.record.start_seconds is None and all_started(self.spec, observed):
            took = round(time.time() - self.record.accepted, 3)
            self.record = msgspec.structs.replace(self.record, start_seconds=took)
            self._folder.write_pod(self.record)
        view = View(
            instance=self.instance,
            observed=observed,
            memory=self._memory,
            boundaries=self._boundaries,
            start_seconds=self.record.start_seconds,
            backing_off=backing_off,
            trouble=self._trouble,
            address=observed.sandbox.ip if observed.sandbox else "",
        )
        status = pod_status(view, finish)
        self.known = True
        if status != self.status:
            self.status = status
            self._changed()

    @staticmethod
    def _first_status(instance: PodInstance, boundaries: Boundaries) -> PodStatus:
        return pod_status(View(instance, ObservedPod(), Memory(0.0), boundaries))
