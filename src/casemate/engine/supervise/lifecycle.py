"""What to do next for one Pod: a pure function of its specification, what CRI shows, and the clock.

Rules, in the order of the code (kubelet: computePodActions; KEP-753 sidecar containers):

1. A Pod past its `activeDeadlineSeconds` fails with reason DeadlineExceeded.
2. Without a ready sandbox, one is made, unless every container has ended for good: then the Pod is finished. A Pod that
   never restarts does not get a second sandbox: it fails.
3. Init containers run one after another; the next starts when the one before ended with 0, or, for a sidecar, when
   it has started (its startup probe passed). A failed one is restarted (see `restart`) or fails the Pod.
4. When all of them are done, the main containers start, all at once.
5. A container that a probe or a hook has condemned is stopped; rule 6 then treats it like any that ended.
6. A container that ended is restarted after its back-off, or stays ended. Leftovers of a start that was cut short
   are removed first.
7. When all main containers have ended for good, the Pod has succeeded if all ended with 0, else it has failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from casemate.engine.supervise.observed import ObservedContainer, ObservedPod, State
from casemate.engine.supervise.restart import Crashes, Role, restarts, role_of
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.model.status import Phase


@dataclass(frozen=True)
class CreateSandbox:
    """Make a sandbox; `replaces` is one to stop first."""

    attempt: int
    replaces: str = ""


@dataclass(frozen=True)
class StartContainer:
    """Create and start a container; `replaces` is a leftover of the same attempt to remove first."""

    container: Container
    role: Role
    attempt: int
    replaces: str = ""


@dataclass(frozen=True)
class StopContainer:
    """Stop a container that a probe or hook condemned. `grace` is seconds, None for the Pod's own."""

    container: Container
    id: str
    reason: str
    grace: int | None = None


@dataclass(frozen=True)
class Finish:
    """The Pod has reached its final phase."""

    phase: Phase
    reason: str = ""
    message: str = ""


Action = CreateSandbox | StartContainer | StopContainer | Finish


@dataclass(frozen=True)
class Condemned:
    """Why a running container has to stop."""

    reason: str
    grace: int | None = None


@dataclass
class Memory:
    """What CRI does not remember of a Pod. `started` holds ids of containers whose startup probe and hook passed.

    `ran` says that its containers ran once, maybe in a sandbox that a reboot has taken.
    """

    accepted_at: float
    ran: bool = False
    started: set[str] = field(default_factory=set)
    ready: set[str] = field(default_factory=set)
    condemned: dict[str, Condemned] = field(default_factory=dict)
    crashes: dict[str, Crashes] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Actions to take now, and in how many seconds to look again if nothing happens before."""

    actions: tuple[Action, ...] = ()
    look_again: float | None = None
    backing_off: Mapping[str, float] = field(default_factory=dict)


def plan(spec: PodSpec, observed: ObservedPod, memory: Memory, now: float) -> Plan:
    """The next actions for a Pod that is neither finished nor being removed."""
    left = _deadline_left(spec, observed, memory, now)
    if left is not None and left <= 0:
        return Plan((Finish(Phase.FAILED, "DeadlineExceeded", "Pod was active longer than activeDeadlineSeconds"),))
    sandbox = observed.sandbox
    ready = sandbox is not None and sandbox.ready
    decided = _with_sandbox(spec, observed, memory, now) if ready else _without(spec, observed, memory)
    if left is None or (decided.look_again is not None and decided.look_again < left):
        return decided
    return Plan(decided.actions, left, decided.backing_off)


def _deadline_left(spec: PodSpec, observed: ObservedPod, memory: Memory, now: float) -> float | None:
    if spec.activeDeadlineSeconds is None:
        return None
    began = min((each.created_at for each in observed.sandboxes), default=memory.accepted_at)
    return began + spec.activeDeadlineSeconds - now


def _without(spec: PodSpec, observed: ObservedPod, memory: Memory) -> Plan:
    sandbox = observed.sandbox
    finished = _finished(spec, observed)
    if finished:
        return Plan((finished,))
    if (observed.containers or memory.ran) and not _may_restart(spec):
        return Plan((Finish(Phase.FAILED, "SandboxChanged", "the sandbox ended and the Pod never restarts"),))
    if sandbox is None:
        return Plan((CreateSandbox(attempt=0),))
    return Plan((CreateSandbox(attempt=sandbox.attempt + 1, replaces=sandbox.id),))


def _may_restart(spec: PodSpec) -> bool:
    own = any(each.restartPolicy or each.restartPolicyRules for each in spec.containers)
    return own or (spec.restartPolicy or "Always") != "Never"


def _with_sandbox(spec: PodSpec, observed: ObservedPod, memory: Memory, now: float) -> Plan:
    finished = _finished(spec, observed)
    if finished:
        return Plan((finished,))
    steps = [*_init_steps(spec, observed, memory, now)]
    if not steps or all(isinstance(step, _Passed) for step in steps):
        steps += [_step(spec, each, observed, memory, now) for each in spec.containers]
    actions = tuple(step for step in steps if not isinstance(step, _Passed | _Waiting))
    waits = {step.name: step.seconds for step in steps if isinstance(step, _Waiting) and step.seconds is not None}
    return Plan(actions, min(waits.values(), default=None), waits)


@dataclass(frozen=True)
class _Passed:
    """Nothing to do, and nothing stands in the way of what follows."""


@dataclass(frozen=True)
class _Waiting:
    """Nothing to do yet; `seconds` until a back-off ends."""

    name: str
    seconds: float | None = None


_Step = Action | _Passed | _Waiting


def _init_steps(spec: PodSpec, observed: ObservedPod, memory: Memory, now: float) -> Iterator[_Step]:
    """One step per init container, up to the first that the others have to wait for."""
    for container in spec.initContainers:
        latest = observed.current(container.name)
        if role_of(spec, container) is Role.INIT and latest and latest.succeeded:
            yield _Passed()
            continue
        step = _step(spec, container, observed, memory, now)
        yield step
        if not isinstance(step, _Passed):
            return


def _step(spec: PodSpec, container: Container, observed: ObservedPod, memory: Memory, now: float) -> _Step:
    role = role_of(spec, container)
    latest = observed.current(container.name)
    earlier = observed.latest(container.name)
    if latest is None:
        if earlier and _ended_for_good(spec, container, earlier) and role is Role.MAIN:
            return _Passed()
        return StartContainer(container, role, earlier.attempt + 1 if earlier else 0)
    match latest.state:
        case State.RUNNING:
            return _running(container, role, latest, memory)
        case State.EXITED:
            return _ended(spec, container, role, latest, memory, now)
        case _:
            return StartContainer(container, role, latest.attempt, replaces=latest.id)


def _running(container: Container, role: Role, latest: ObservedContainer, memory: Memory) -> _Step:
    verdict = memory.condemned.get(latest.id)
    if verdict:
        return StopContainer(container, latest.id, verdict.reason, verdict.grace)
    started = role is Role.MAIN or (role is Role.SIDECAR and latest.id in memory.started)
    return _Passed() if started else _Waiting(container.name)


def _ended(
    spec: PodSpec, container: Container, role: Role, latest: ObservedContainer, memory: Memory, now: float
) -> _Step:
    if not restarts(spec, container, latest.exit_code):
        if role is Role.INIT:
            return Finish(
                Phase.FAILED, "InitContainerFailed", f"init container {container.name} ended with {latest.exit_code}"
            )
        return _Passed()
    left = latest.finished_at + memory.crashes.get(container.name, Crashes()).delay() - now
    if left > 0:
        return _Waiting(container.name, left)
    return StartContainer(container, role, latest.attempt + 1)


def _finished(spec: PodSpec, observed: ObservedPod) -> Finish | None:
    ended = [observed.latest(each.name) for each in spec.containers]
    for container, latest in zip(spec.containers, ended, strict=True):
        if latest is None or not _ended_for_good(spec, container, latest):
            return None
    if all(each and each.succeeded for each in ended):
        return Finish(Phase.SUCCEEDED)
    return Finish(Phase.FAILED)


def _ended_for_good(spec: PodSpec, container: Container, latest: ObservedContainer) -> bool:
    return latest.state is State.EXITED and not restarts(spec, container, latest.exit_code)
