"""How a run and its Pods stand: what `ps` shows and `run -o json` prints."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from casemate.model.boundary import Boundary


class Phase(StrEnum):
    """A Pod's phase, in Kubernetes' words."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """Whether a Pod never leaves this phase."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One container: `state` is `waiting`, `running` or `terminated`; `reason` as Kubernetes names it."""

    name: str
    role: str
    state: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False


class PodStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One Pod. `start_seconds` is the time from the Pod's acceptance until all its containers ran.

    `declared_boundary` is what the class's name promises, `boundary` what its handler gives on this node.
    """

    name: str
    namespace: str
    uid: str
    owner: str = ""
    runtime_class: str = ""
    handler: str
    declared_boundary: Boundary
    boundary: Boundary
    phase: Phase
    reason: str = ""
    message: str = ""
    ready: bool = False
    ip: str = ""
    start_seconds: float | None = None
    containers: tuple[ContainerStatus, ...] = ()

    @property
    def restarts(self) -> int:
        """Restarts of all containers together."""
        return sum(each.restarts for each in self.containers)

    @property
    def exit_codes(self) -> dict[str, int]:
        """Container name → exit code, of those that ended at least once."""
        return {each.name: each.exit_code for each in self.containers if each.exit_code is not None}


class RunStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One run. `error` is why its start failed and was rolled back.

    `settled` is false while a controller still has Pods to make or replace, so that an empty or half-made run is
    never taken for a ready or completed one.
    """

    name: str
    created: float
    settled: bool = False
    error: str = ""
    removed: bool = False
    failed_workloads: tuple[str, ...] = ()
    pods: tuple[PodStatus, ...] = ()

    @property
    def ready(self) -> bool:
        """Every Pod is ready or has succeeded."""
        return self.settled and all(pod.ready or pod.phase is Phase.SUCCEEDED for pod in self.pods)

    @property
    def completed(self) -> bool:
        """Every Pod has reached a final phase."""
        return self.settled and all(pod.phase.final for pod in self.pods)

    @property
    def failed(self) -> bool:
        """A workload failed for good, or a bare Pod did."""
        return bool(self.failed_workloads)
