"""How a Pod stands, from what CRI shows and what its worker remembers: pure, and what every report is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from casemate.engine.instance import PodInstance
from casemate.engine.supervise.lifecycle import Finish, Memory
from casemate.engine.supervise.observed import ObservedContainer, ObservedPod, State
from casemate.engine.supervise.restart import Role, role_of
from casemate.model.boundary import Boundary
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.model.status import ContainerStatus, Phase, PodStatus


@dataclass(frozen=True)
class Boundaries:
    """What a Pod's class promises and what its handler gives."""

    declared: Boundary
    resolved: Boundary


@dataclass(frozen=True)
class View:
    """All that a Pod's status is made from. `backing_off` maps container names to seconds left."""

    instance: PodInstance
    observed: ObservedPod
    memory: Memory
    boundaries: Boundaries
    start_seconds: float | None = None
    backing_off: Mapping[str, float] = field(default_factory=dict)
    trouble: str = ""
    address: str = ""


def pod_status(view: View, finish: Finish | None = None) -> PodStatus:
    """The Pod's status; `finish` makes it final."""
    spec = view.instance.pod.spec
    assert spec is not None
    containers = tuple(_containers(spec, view))
    phase = finish.phase if finish else _phase(spec, view.observed)
    return PodStatus(
        name=view.instance.name,
        namespace=view.instance.namespace,
        uid=view.instance.uid,
        owner=view.instance.owner,
        runtime_class=view.instance.runtime_class,
        handler=view.instance.handler,
        declared_boundary=view.boundaries.declared,
        boundary=view.boundaries.resolved,
        phase=phase,
        reason=(finish.reason if finish else "") or _reason(containers, view),
        message=(finish.message if finish else "") or view.trouble or _last_words(containers),
        ready=phase is Phase.RUNNING and _ready(containers),
        ip=view.address,
        start_seconds=view.start_seconds,
        containers=containers,
    )


def all_started(spec: PodSpec, observed: ObservedPod) -> bool:
    """Whether every main container has run at least once."""
    return all(_has_run(observed.latest(each.name)) for each in spec.containers)


def _has_run(container: ObservedContainer | None) -> bool:
    return container is not None and container.state in (State.RUNNING, State.EXITED)


def _phase(spec: PodSpec, observed: ObservedPod) -> Phase:
    return Phase.RUNNING if any(_has_run(observed.latest(each.name)) for each in spec.containers) else Phase.PENDING


def _ready(containers: tuple[ContainerStatus, ...]) -> bool:
    return all(each.ready for each in containers if each.role != Role.INIT.value)


def _reason(containers: tuple[ContainerStatus, ...], view: View) -> str:
    if view.trouble:
        return "FailedCreate"
    reasons = (each.reason for each in containers if each.state == "waiting" and each.reason == "CrashLoopBackOff")
    return next(reasons, "")


def _last_words(containers: tuple[ContainerStatus, ...]) -> str:
    """What the first container that failed says: its own last words, or the runtime's if it could not be started."""
    failed = (each for each in containers if each.exit_code and each.state != "running")
    return next((each.message for each in failed if each.message), "")


def _containers(spec: PodSpec, view: View) -> Iterator[ContainerStatus]:
    for container in (*spec.initContainers, *spec.containers):
        yield _container(container, role_of(spec, container), view)


def _container(container: Container, role: Role, view: View) -> ContainerStatus:
    latest = view.observed.latest(container.name)
    last_exit = view.observed.last_exit(container.name)
    exit_code = last_exit.exit_code if last_exit else None
    if latest is None:
        return ContainerStatus(name=container.name, role=role.value, state="waiting", reason="ContainerCreating")
    running = latest.state is State.RUNNING
    backing_off = container.name in view.backing_off
    return ContainerStatus(
        name=container.name,
        role=role.value,
        state="running" if running else "waiting" if backing_off else "terminated",
        reason="CrashLoopBackOff" if backing_off else latest.reason,
        message=latest.message,
        exit_code=exit_code,
        restarts=latest.attempt,
        ready=(running and latest.id in view.memory.ready) or (role is Role.INIT and latest.succeeded),
        started=running and latest.id in view.memory.started,
    )
