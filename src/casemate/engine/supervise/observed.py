"""What CRI says of one Pod, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """A container's state in CRI (`ContainerState`)."""

    CREATED = 0
    RUNNING = 1
    EXITED = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class ObservedContainer:
    """One container. Times are seconds since the epoch, zero when it has not started or ended."""

    id: str
    name: str
    sandbox_id: str
    attempt: int
    state: State
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether it ended with exit code zero."""
        return self.state is State.EXITED and self.exit_code == 0


@dataclass(frozen=True)
class ObservedSandbox:
    """One Pod sandbox. `ip` is empty on the host's network."""

    id: str
    attempt: int
    ready: bool
    created_at: float
    ip: str = ""


@dataclass(frozen=True)
class ObservedPod:
    """All sandboxes and containers that CRI knows of one Pod, those of earlier attempts included."""

    sandboxes: tuple[ObservedSandbox, ...] = ()
    containers: tuple[ObservedContainer, ...] = ()

    @property
    def signature(self) -> frozenset[tuple[str, int]]:
        """Ids and states (CRI's numbers): what a relist shows, by which a worker tells whether it has to look again."""
        sandboxes = {(each.id, 0 if each.ready else 1) for each in self.sandboxes}
        return frozenset(sandboxes | {(each.id, each.state.value) for each in self.containers})

    @property
    def sandbox(self) -> ObservedSandbox | None:
        """The newest sandbox."""
        return max(self.sandboxes, key=lambda each: each.attempt, default=None)

    def latest(self, name: str) -> ObservedContainer | None:
        """The newest container of that name, in whichever sandbox."""
        return max(self.named(name), key=lambda each: each.attempt, default=None)

    def current(self, name: str) -> ObservedContainer | None:
        """The newest container of that name in the newest sandbox."""
        sandbox = self.sandbox
        if sandbox is None:
            return None
        here = (each for each in self.named(name) if each.sandbox_id == sandbox.id)
        return max(here, key=lambda each: each.attempt, default=None)

    def named(self, name: str) -> Iterable[ObservedContainer]:
        """Every container of that name."""
        return (each for each in self.containers if each.name == name)

    def last_exit(self, name: str) -> ObservedContainer | None:
        """The newest container of that name that has ended."""
        ended = (each for each in self.named(name) if each.state is State.EXITED)
        return max(ended, key=lambda each: each.attempt, default=None)
