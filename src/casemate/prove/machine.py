"""What the node's view of a virtual machine means (rule 9 of `casemate.prove.rules`).

1. The node's kernel must run the guest on the processor: each monitor holds a virtual machine and a processor of it.
   One that translates the guest's instructions instead draws no boundary that anybody stands for: QEMU takes bugs in
   that for no matter of security (docs/system/security.rst, "Non-virtualization Use Case").
2. It must have something to boot: a kernel, a disk, a saved guest; or a socket through which Cloud Hypervisor and
   Firecracker are told (Kata's way with both). One without is there for its name.
3. What it hands to the guest of the node's files is the sandbox's own: Kata's folder for it. Any other folder, by 9p or
   virtiofsd, and any disk of the node, is a way around the guest's kernel.
4. Nobody commands it from a network: no debugger, monitor or screen on TCP; no network through its own sockets
   (`-netdev user` leads to the node's loopback); its own seccomp filter is not switched off; and no file has options
   that are not seen here.
5. Sockets in the file system, passed devices and memory are told: they are ways in for the node's root alone, or what
   a class is chosen for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation
from casemate.prove.facts import Processes
from casemate.prove.observed import listed, on_node, short
from casemate.prove.vmm import Monitor
from casemate.prove.vmm_options import booted, doors, foreign_files, worth_telling


def observe(processes: Processes) -> Iterator[Observation]:
    """What the node sees of the monitors of a virtual machine."""
    monitors = processes.machines
    if not monitors:
        yield on_node("monitor", None, "no virtual machine monitor could be looked at")
        return
    yield _hardware(monitors)
    yield _guest(monitors)
    files = sorted({each for task in processes.tasks for each in foreign_files(task.arguments)})
    yield _none("machine-files", files, "files of the node", Boundary.SHARED)
    ways = sorted({each for monitor in monitors for each in doors(monitor.arguments)})
    yield _none("machine-doors", ways, "a way in or out", Boundary.HARDENED)
    told = {each for monitor in monitors for each in worth_telling(monitor.arguments)}
    yield on_node("machine-options", Boundary.VM, listed(told))


def _hardware(monitors: Sequence[Monitor]) -> Observation:
    if any(each.machines is None or each.processors is None for each in monitors):
        return on_node("hardware", None, "what the monitor holds could not be read")
    without = [each for each in monitors if not each.machines or not each.processors]
    if without:
        told = f"process {without[0].pid} holds no machine of the kernel's: it emulates, and keeps nobody in"
        return on_node("hardware", Boundary.SHARED, told)
    processors = sum(each.processors or 0 for each in monitors)
    return on_node("hardware", Boundary.VM, f"the node's kernel runs it, on {processors} virtual processors")


def _guest(monitors: Sequence[Monitor]) -> Observation:
    idle = [each for each in monitors if not booted(each.arguments)]
    if idle:
        return on_node("guest", Boundary.SHARED, f"process {idle[0].pid} has nothing to boot")
    kernels = [f"kernel {short(each.kernel)}" for each in monitors if each.kernel]
    return on_node("guest", Boundary.VM, ", ".join((*booted(monitors[0].arguments), *kernels)))


def _none(name: str, found: Sequence[str], what: str, weaker: Boundary) -> Observation:
    return on_node(name, weaker if found else Boundary.VM, f"{what}: {', '.join(found) or 'none'}")
