"""What all proofs of one run share: the connection, the node, and what was read of it so far."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from casemate.engine.cri.client import CriClient
from casemate.engine.install import tools
from casemate.model.proof import Program, Proof
from casemate.prove import node_kernel, tasks, vmm
from casemate.prove.facts import Control, NodeKernel, Processes
from casemate.prove.image import Prober
from casemate.prove.kinds import is_monitor
from casemate.prove.programs import Examined, examine
from casemate.prove.sandbox import Place
from casemate.prove.tasks import Digests, Seen

_UNTRIED = Control(False, "no runc container could be tried")


@dataclass
class Bench:
    """What all proofs of one run share. `monitors` are the files of programs of the engine's own that watch containers
    from the node, some of them out of the Pod's cgroup: they are no part of a sandbox (CRI-O's conmon)."""

    client: CriClient
    place: Place
    node: str
    prober: Prober
    monitors: frozenset[tuple[int, int]] = frozenset()
    kernel: NodeKernel = field(default_factory=node_kernel.look)
    digests: Digests = field(default_factory=Digests)
    examined: dict[Path, Examined | None] = field(default_factory=dict)
    control: Control = _UNTRIED

    @property
    def own_wasm(self) -> str:
        """The digest of our Wasm engine."""
        return self.digests.of(tools.native().folder / "wasm")

    def program_of(self, proof: Proof | None) -> Examined | None:
        """The program that a handler was proven with, as it was examined in this run."""
        paths = {each.path for each in proof.programs} if proof else set()
        return next((each for each in self.examined.values() if each and each.path in paths), None)

    async def program(self, path: Path | None) -> Examined | None:
        """The program at that path, examined once."""
        if path is None:
            return None
        if path not in self.examined:
            self.examined[path] = await asyncio.to_thread(examine, path, self.digests)
        return self.examined[path]

    def processes(self, seen: Sequence[Seen], pause: int, program: Examined | None) -> Processes:
        """The processes of a sandbox with what confines them. Those that ended meanwhile are left out."""
        read, unread = [], 0
        for each in seen:
            if each.is_kernels:
                continue
            with suppress(ProcessLookupError):
                task = tasks.look(each.pid, self.digests)
                unread += task is None
                read += [task] if task and task.file not in self.monitors else []
        machines = tuple(vmm.look(each, self.digests) for each in read if is_monitor(each))
        return Processes(tuple(read), unread, pause, program, self.own_wasm, self.kernel, machines)


def used_programs(program: Examined | None) -> tuple[Program, ...]:
    """The program as a proof is bound to it."""
    if program is None:
        return ()
    return (Program(role="runtime", path=program.path, digest=program.digest, version=program.version),)
