"""Virtual machine monitors as the node's kernel has them: what they hold open, and what they boot.

1. A monitor that runs its guest on the processor holds a virtual machine and its processors: descriptors that the
   kernel calls `anon_inode:kvm-vm` and `anon_inode:kvm-vcpu:N` (virt/kvm/kvm_main.c of Linux). Nobody can make them of
   anything else.
2. The kernel that it was told to boot is known by its digest, where its arguments name one.
3. What may not be looked at is unknown, and no zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from casemate.prove.tasks import PROC, Digests, Task
from casemate.prove.vmm_options import booted_kernel

_MACHINE = "anon_inode:kvm-vm"
_PROCESSOR = "anon_inode:kvm-vcpu"


@dataclass(frozen=True)
class Monitor:
    """A process of a virtual machine monitor. Its machines and processors are those of the node's kernel; None where
    they could not be counted. `kernel` is the digest of the guest's, empty where its arguments name none."""

    pid: int
    arguments: tuple[str, ...]
    machines: int | None
    processors: int | None
    kernel: str = ""


def look(task: Task, digests: Digests, proc: Path = PROC) -> Monitor:
    """The monitor that this process is."""
    held = _descriptors(proc / str(task.pid) / "fd")
    return Monitor(
        pid=task.pid,
        arguments=task.arguments,
        machines=None if held is None else held.count(_MACHINE),
        processors=None if held is None else sum(each.startswith(_PROCESSOR) for each in held),
        kernel=_digest(booted_kernel(task.arguments), proc / str(task.pid) / "root", digests),
    )


def _descriptors(folder: Path) -> list[str] | None:
    try:
        return [target for each in folder.iterdir() if (target := _target(each))]
    except OSError:
        return None


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # closed meanwhile
        return ""


def _digest(kernel: str, root: Path, digests: Digests) -> str:
    """The digest of the file that this path means to the monitor, which may live in a root of its own."""
    return digests.of(root / kernel.lstrip("/")) if kernel.startswith("/") else ""
