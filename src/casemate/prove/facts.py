"""What was seen of one sandbox, before anything is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass

from casemate.prove.inside import Report
from casemate.prove.programs import Examined
from casemate.prove.tasks import Task
from casemate.prove.vmm import Monitor


@dataclass(frozen=True)
class Found:
    """A process of the node that carries a challenge. `inside` says that it is the sandbox's: by cgroup and by pid
    namespace; None where it had ended before that could be seen."""

    pid: int
    inside: bool | None


@dataclass(frozen=True)
class Challenge:
    """A random word that was given to a process inside. `refused` is why no process began; empty when one answered."""

    refused: str
    found: tuple[Found, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether somebody inside said the word."""
        return not self.refused


@dataclass(frozen=True)
class NodeKernel:
    """The kernel of the node, as we see it, and the namespaces that its own processes have."""

    boot_id: str
    release: str
    namespaces: dict[str, int]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Control:
    """How a try of known outcome went: a runc container's challenge must be seen on the node."""

    seen: bool
    value: str


@dataclass(frozen=True)
class Processes:
    """What the node runs for a sandbox. `pause` is CRI's own process, `unread` how many may not be looked at.

    `program` is what the engine's configuration names for the handler, `own_wasm` the digest of our Wasm engine;
    `machines` are those of the processes that are virtual machine monitors.
    """

    tasks: tuple[Task, ...]
    unread: int
    pause: int
    program: Examined | None
    own_wasm: str
    node: NodeKernel
    machines: tuple[Monitor, ...] = ()

    @property
    def working(self) -> tuple[Task, ...]:
        """Those beside CRI's own."""
        return tuple(each for each in self.tasks if each.pid != self.pause)


@dataclass(frozen=True)
class Facts:
    """All that was seen of a sandbox which was started to be proven.

    `prober` is the digest of the program that was sent in, `prober_found` that of the file which lies in the container
    as the node sees it. `wasm_only` says that the handler promises to run nothing but modules; `module` is the
    challenge that a module was given.
    """

    wasm_only: bool
    whole_node: bool
    challenge: Challenge
    command: Challenge
    module: Challenge | None
    still_there: bool
    processes: Processes
    report: Report | None
    prober: str
    prober_found: str
    control: Control
