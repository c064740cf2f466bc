"""Sandboxes as the node sees them, all being well; tests change one thing of them."""

from __future__ import annotations

from dataclasses import replace

from casemate.prove.facts import Challenge, Control, Facts, Found, NodeKernel, Processes
from casemate.prove.inside import Kernel, Machine, Report
from casemate.prove.kinds import RUNSC, WASM_ENGINE
from casemate.prove.programs import Examined
from casemate.prove.tasks import Task
from casemate.prove.vmm import Monitor

NODE = NodeKernel(
    boot_id="node-boot",
    release="6.18",
    namespaces={"user": 1, "pid": 2, "net": 3, "mnt": 4, "ipc": 5, "uts": 6},
)
OWN = {"user": 11, "pid": 12, "net": 13, "mnt": 14, "ipc": 15, "uts": 16}
PAUSE, WORD = 100, "challenge"
PROBER, WASM = "sha256:prober", "sha256:wasm"
ANSWERED, REFUSED = Challenge(""), Challenge("refused")
ON_NODE = Challenge("", (Found(101, inside=True),))
RUNSC_FILE = Examined("/opt/runsc", "sha256:runsc", (1, 2), "1.0", "gvisor.dev/gvisor@v1.0", RUNSC)
QEMU_FILE = Examined("/usr/bin/qemu-system-x86_64", "sha256:qemu", (1, 4), "7.2", "package qemu 7.2", "")
RUNC_FILE = Examined("/usr/sbin/runc", "sha256:runc", (1, 3), "1.1.5", "package runc 1.1.5", "runc")


def task(pid: int = 101, **changes: object) -> Task:
    """A process of a container, confined as a runtime does by default."""
    plain = Task(
        pid=pid,
        arguments=("/probe", WORD),
        program="/probe",
        digest=PROBER,
        file=(9, 9),
        module="casemate.dev/probe/probe",
        namespaces=OWN,
        seccomp=2,
        filters=1,
        no_new_privileges=False,
        effective=0xA80425FB,
        uid_map=(0, 0, 0xFFFFFFFF),
        label="",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def sentry(pid: int = PAUSE, *options: str, **changes: object) -> Task:
    """gVisor's kernel, with options."""
    plain = task(
        pid,
        arguments=("runsc-sandbox", *options, "boot"),
        program="/opt/runsc",
        digest="sha256:runsc",
        file=(1, 2),
        module=RUNSC,
        no_new_privileges=True,
        effective=0x8001F,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def engine(**changes: object) -> Task:
    """The engine of casemate's Wasm runtime."""
    plain = task(
        arguments=("/casemate-wasm", "run-module"),
        program="/casemate-wasm",
        digest=WASM,
        module=WASM_ENGINE,
        filters=2,
        no_new_privileges=True,
        effective=0x400,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def report(boot: str = "node-boot", *, escapes: tuple[str, ...] = (), calls: str = "EPERM") -> Report:
    """What the prober says; `escapes` succeeded, `calls` is what unusual calls answer."""
    return Report(
        nonce=WORD,
        kernel=Kernel("6.18", "Linux version 6.18", boot, "EPERM"),
        machine=Machine("AuthenticAMD", "KVMKVMKVM", "", ("null",), 2),
        surface={"/proc/kcore": "EPERM"},
        calls=dict.fromkeys(("userfaultfd", "copy_file_range", "vmsplice", "kcmp"), calls),
        escapes={**dict.fromkeys(("mount", "bpf"), "EPERM"), **dict.fromkeys(escapes, "")},
    )


def container() -> Facts:
    """A container on the node's kernel, under runc."""
    return Facts(
        wasm_only=False,
        whole_node=True,
        challenge=ON_NODE,
        command=ON_NODE,
        module=None,
        still_there=True,
        processes=Processes((task(PAUSE), task()), 0, PAUSE, RUNC_FILE, WASM, NODE),
        report=report(),
        prober=PROBER,
        prober_found=PROBER,
        control=Control(seen=True, value="seen"),
    )


def gvisor() -> Facts:
    """A sandbox under gVisor."""
    return replace(
        container(),
        challenge=ANSWERED,
        command=ANSWERED,
        processes=Processes((sentry(), sentry(102)), 0, PAUSE, RUNSC_FILE, WASM, NODE),
        report=report("another", calls="ENOSYS"),
    )


def wasm() -> Facts:
    """A sandbox under casemate's Wasm runtime."""
    return replace(
        container(),
        wasm_only=True,
        challenge=REFUSED,
        command=REFUSED,
        module=ANSWERED,
        processes=Processes((task(PAUSE), engine()), 0, PAUSE, RUNC_FILE, WASM, NODE),
        report=None,
    )


def monitor(**changes: object) -> Task:
    """A virtual machine monitor."""
    plain = task(
        PAUSE,
        arguments=("qemu-system-x86_64", "-name", "sandbox-1", "-kernel", "/opt/kata/vmlinux"),
        program="/usr/bin/qemu-system-x86_64",
        digest="sha256:qemu",
        file=(1, 4),
        module="",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def watched(*options: str, machines: int | None = 1, processors: int | None = 2) -> Monitor:
    """The same as the node's kernel has it: what it holds, and options beside those."""
    return Monitor(PAUSE, (*monitor().arguments, *options), machines, processors, "sha256:kernel")


def with_monitor(facts: Facts, *options: str, machines: int | None = 1, processors: int | None = 2) -> Facts:
    """The same with a monitor that holds or was told something else."""
    seen = watched(*options, machines=machines, processors=processors)
    tasks = (monitor(arguments=seen.arguments),)
    return replace(facts, processes=replace(facts.processes, tasks=tasks, machines=(seen,)))


def machine() -> Facts:
    """A sandbox in a virtual machine."""
    return replace(
        container(),
        challenge=ANSWERED,
        command=ANSWERED,
        processes=Processes((monitor(),), 0, PAUSE, QEMU_FILE, WASM, NODE, (watched(),)),
        report=report("another", escapes=("mount",)),
        prober_found="",
    )


def with_tasks(facts: Facts, *tasks: Task) -> Facts:
    """The same with other processes."""
    return replace(facts, processes=replace(facts.processes, tasks=tasks))


def with_program(facts: Facts, **changes: object) -> Facts:
    """The same with another program behind the handler."""
    program = facts.processes.program
    assert program
    changed = replace(program, **changes)  # type: ignore[arg-type]
    return replace(facts, processes=replace(facts.processes, program=changed))
