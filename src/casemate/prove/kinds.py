"""What a sandbox is, by the processes that the node runs for it.

1. gVisor: its processes were built from gVisor's `runsc`, and one of them is the kernel (`runsc-sandbox`).
2. casemate's Wasm runtime: beside CRI's own process there is its engine.
3. A virtual machine: one of them is a virtual machine monitor that was started for this sandbox.
4. Anything else is a container on the node's kernel.

A name decides nothing: a program of any name may be called runsc.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath

from casemate.model.boundary import Boundary
from casemate.prove.tasks import Task

RUNSC = "gvisor.dev/gvisor/runsc"
WASM_ENGINE = "casemate.dev/native/wasm"

_MONITORS = ("qemu-system-", "qemu-kvm", "cloud-hypervisor", "firecracker", "stratovirt", "openvmm")
_HELPERS = ("virtiofsd", "containerd-shim-kata-v2", "nydusd", "jailer")


class Kind(StrEnum):
    """How a sandbox keeps its workload from the node."""

    CONTAINER = "container"
    WASM = "Wasm"
    GVISOR = "gVisor"
    MACHINE = "virtual machine"

    @property
    def boundary(self) -> Boundary:
        """The strongest boundary that such a sandbox draws, all being well."""
        return {
            Kind.CONTAINER: Boundary.HARDENED,
            Kind.WASM: Boundary.SANDBOX,
            Kind.GVISOR: Boundary.SANDBOX,
            Kind.MACHINE: Boundary.VM,
        }[self]


def recognise(tasks: tuple[Task, ...], pause: int) -> Kind:
    """What the sandbox is that these processes make up."""
    if any(is_sentry(each) for each in tasks):
        return Kind.GVISOR
    if any(is_monitor(each) for each in tasks):
        return Kind.MACHINE
    if any(each.module == WASM_ENGINE for each in tasks if each.pid != pause):
        return Kind.WASM
    return Kind.CONTAINER


def is_sentry(task: Task) -> bool:
    """Whether it is gVisor's kernel: runsc, started as a sandbox."""
    return task.module == RUNSC and "boot" in task.arguments


def is_monitor(task: Task) -> bool:
    """Whether it is a virtual machine monitor, by its file's name; whose file it is, is another question."""
    return PurePath(task.program).name.startswith(_MONITORS)


def draws(task: Task, kind: Kind) -> bool:
    """Whether it is one of the processes that draw the boundary, and no helper."""
    return is_monitor(task) if kind is Kind.MACHINE else belongs(task, kind, 0)


def belongs(task: Task, kind: Kind, pause: int) -> bool:
    """Whether a sandbox of that kind has such a process; any other is the workload's own, on the node's kernel."""
    match kind:
        case Kind.GVISOR:
            return task.module == RUNSC
        case Kind.MACHINE:
            return is_monitor(task) or PurePath(task.program).name in _HELPERS
        case Kind.WASM:
            return task.pid == pause or task.module == WASM_ENGINE
        case Kind.CONTAINER:
            return True
