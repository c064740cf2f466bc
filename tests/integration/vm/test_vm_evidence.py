"""A virtual machine as the node sees it, on real monitors and real guests: what shows it, what only looks like it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import evidence
import guests
import pytest
from evidence import Asked
from guest_kernel import GuestKernel
from guests import QEMU, Guest

from casemate.engine.install import tools
from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Result
from casemate.prove.facts import Challenge, Facts
from casemate.prove.kinds import Kind, recognise
from casemate.prove.rules import conclude, observe

pytestmark = pytest.mark.root

SHARED, VM = Boundary.SHARED, Boundary.VM
NODE_BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
CREATE_VM = 0xAE01  # KVM_CREATE_VM (linux/kvm.h)
ANSWERED = Challenge("")


@pytest.fixture(scope="module")
def asked(guest: Guest) -> Asked:
    """The challenges that the guest has answered."""
    return evidence.ask(guest)


@pytest.fixture(scope="module")
def facts(guest: Guest, asked: Asked) -> Facts:
    """What is seen of the guest, from the node and from inside."""
    return evidence.gather(guest.cgroup, asked)


def seen(facts: Facts) -> dict[str, Observation]:
    """The observations by id."""
    return {each.id: each for each in observe(facts)}


def on_hardware(facts: Facts) -> Facts:
    """The same, with a machine of the node's kernel behind the monitor: what a translating one lacks."""
    (monitor,) = facts.processes.machines
    held = replace(monitor, machines=1, processors=1)
    return replace(facts, processes=replace(facts.processes, machines=(held,)))


def test_a_guests_challenge_is_no_process_of_the_node(facts: Facts) -> None:
    assert recognise(facts.processes.tasks, 0) is Kind.MACHINE
    assert facts.control.seen
    assert (facts.challenge, facts.command) == (ANSWERED, ANSWERED)


def test_the_same_challenge_is_a_process_inside(guest: Guest, asked: Asked) -> None:
    guest.tell('for each in $(pidof probe); do tr "\\0" " " </proc/$each/cmdline; echo; done; echo these-run-inside')
    guest.line("these-run-inside")
    assert guest.said.count(f"/probe {asked.word}".encode()) == 1
    assert guest.said.count(f"/probe challenge {asked.command}".encode()) == 1


def test_the_guest_tells_another_kernel_boot_and_machine(kernel: GuestKernel, facts: Facts) -> None:
    report = facts.report
    assert report
    assert report.kernel.release == kernel.release != facts.processes.node.release
    assert report.kernel.boot_id != NODE_BOOT
    assert report.kernel.log.startswith("<")
    assert (report.machine.hypervisor, report.machine.dmi) == ("TCGTCGTCGTCG", "QEMU")


def test_translation_alone_keeps_a_real_guest_from_being_a_vm(facts: Facts) -> None:
    observations = observe(facts)
    assert {each.id: each.supports for each in observations if each.supports != VM} == {"hardware": SHARED}
    assert conclude(VM, observations) == (SHARED, Result.WEAKER)


def test_a_real_guest_on_the_processor_is_proven_a_vm(facts: Facts) -> None:
    assert conclude(VM, observe(on_hardware(facts))) == (VM, Result.PROVEN)


def test_the_monitor_is_told_with_its_origin_and_its_guests_kernel(kernel: GuestKernel, facts: Facts) -> None:
    told = seen(facts)
    assert "package qemu-system-x86" in told["program"].value
    assert str(kernel.image) in told["guest"].value
    assert "sha256:" in told["guest"].value


def test_a_monitor_holds_a_machine_where_the_node_gives_one() -> None:
    with guests.monitor("sandbox-held", "-accel", "kvm", "-accel", "tcg") as guest:
        (monitor,) = evidence.gather(guest.cgroup, Asked(), ANSWERED).processes.machines
    assert (monitor.machines, monitor.processors) == ((1, 1) if _node_gives_machines() else (0, 0))


def _node_gives_machines() -> bool:
    with suppress(OSError):
        device = os.open("/dev/kvm", os.O_RDWR)
        try:
            os.close(fcntl.ioctl(device, CREATE_VM, 0))
            return True
        finally:
            os.close(device)
    return False


# --------------------------------------------------------------------------------------------------------------- liars


@pytest.fixture(scope="module")
def leaky(leaky_guest: Guest) -> Iterator[Facts]:
    """What is seen of the guest with the node's /proc over its own."""
    leaky_guest.tell("mount -t virtiofs node-proc /proc; echo node-proc-is-there")
    leaky_guest.line("node-proc-is-there")
    yield evidence.gather(leaky_guest.cgroup, evidence.ask(leaky_guest))
    leaky_guest.tell("umount /proc")


def test_a_guest_with_the_nodes_files_is_no_vm(leaky: Facts) -> None:
    told = seen(on_hardware(leaky))
    assert told["machine-files"].value == "files of the node: /, /proc"
    assert leaky.report
    assert leaky.report.kernel.boot_id == NODE_BOOT
    assert told["boot-id"].supports == SHARED
    assert conclude(VM, tuple(told.values())) == (SHARED, Result.WEAKER)


@pytest.mark.parametrize(
    ("options", "against"),
    [
        ((), "guest"),
        (("-fsdev", "local,id=p,path=/proc,security_model=none,readonly=on"), "machine-files"),
        (("-gdb", "tcp:127.0.0.1:0"), "machine-doors"),
    ],
    ids=["nothing to boot", "the node's /proc by 9p", "a debugger"],
)
def test_a_real_monitor_is_not_enough(kernel: GuestKernel, options: tuple[str, ...], against: str) -> None:
    boots = ("-kernel", str(kernel.image)) if options else ()
    with guests.monitor("sandbox-idle", "-accel", "tcg", *boots, *options) as guest:
        idle = evidence.gather(guest.cgroup, Asked(), ANSWERED)
    told = seen(on_hardware(idle))
    assert [name for name, each in told.items() if each.supports != VM] == [against]
    assert conclude(VM, tuple(told.values()))[1] is Result.WEAKER


def test_a_program_of_a_monitors_name_is_no_monitor(tmp_path: Path) -> None:
    fake = tmp_path / QEMU.name
    shutil.copy(tools.probe().folder / "probe", fake)
    workload, name = Path("/bin/busybox"), "sandbox-fake"
    with guests.started(name, fake, "challenge", "x") as guest, guests.started(name, workload, "sleep", "600"):
        told = seen(evidence.gather(guest.cgroup, Asked(), ANSWERED))
    assert {told[each].supports for each in ("program", "hardware", "guest", "processes")} == {SHARED}
    assert str(workload) in told["processes"].value
    assert conclude(VM, tuple(told.values())) == (SHARED, Result.WEAKER)
