"""What the node's view of a virtual machine shows: one thing amiss is enough, what was not seen proves nothing."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import sandboxes as of

from casemate.model.boundary import Boundary
from casemate.model.proof import Result
from casemate.prove import vmm_options
from casemate.prove.facts import Facts
from casemate.prove.inside import Machine
from casemate.prove.rules import conclude, observe

SHARED, HARDENED, VM = Boundary.SHARED, Boundary.HARDENED, Boundary.VM
MACHINE = of.machine()
QEMU, CLOUD = "qemu-system-x86_64", "cloud-hypervisor"
SHARE = "/run/kata-containers/shared/sandboxes/0a1b/shared"


def _without_hypervisor() -> Facts:
    bare = Machine("GenuineIntel", "", "", (), 3)
    return replace(MACHINE, report=msgspec.structs.replace(of.report("another"), machine=bare))


WEAKER = [
    ("no machine of the kernel's", of.with_monitor(MACHINE, machines=0, processors=0), SHARED),
    ("a machine without a processor", of.with_monitor(MACHINE, processors=0), SHARED),
    ("the node's root by 9p", of.with_monitor(MACHINE, "-virtfs", "local,path=/,mount_tag=x"), SHARED),
    ("the node's processes by 9p", of.with_monitor(MACHINE, "-fsdev", "local,id=x,path=/proc"), SHARED),
    ("the node's disk", of.with_monitor(MACHINE, "-drive", "file=/dev/vda,format=raw"), SHARED),
    ("a debugger", of.with_monitor(MACHINE, "-gdb", "tcp::1234"), HARDENED),
    ("a monitor on the network", of.with_monitor(MACHINE, "-monitor", "tcp:0.0.0.0:4444,server"), HARDENED),
    ("the node's own sockets", of.with_monitor(MACHINE, "-netdev", "user,id=n"), HARDENED),
    ("no hypervisor inside", _without_hypervisor(), SHARED),
]

UNSEEN = [
    ("no monitor looked at", replace(MACHINE, processes=replace(MACHINE.processes, machines=()))),
    ("what it holds", of.with_monitor(MACHINE, machines=None, processors=None)),
]

BOOTED = [
    ((QEMU, "-kernel", "/boot/vmlinuz", "-append", "quiet"), ("kernel /boot/vmlinuz",)),
    ((QEMU, "--drive", "file=/images/a.img,if=none"), ("drive file=/images/a.img,if=none",)),
    ((QEMU, "-drive", "if=pflash,file=/usr/share/OVMF.fd"), ()),
    ((QEMU, "-name", "sandbox-1", "-m", "256", "-S"), ()),
    ((QEMU,), ()),
    ((CLOUD, "--kernel=/opt/vmlinux", "--memory", "size=1G"), ("kernel /opt/vmlinux",)),
    ((CLOUD, "--api-socket", "/run/vc/vm/1/api.sock"), ("api-socket /run/vc/vm/1/api.sock",)),
    (("firecracker", "--id", "1", "--config-file", "/fc.json"), ("config-file /fc.json",)),
]

FILES = [
    (("virtiofsd", "--shared-dir", SHARE), []),
    (("virtiofsd", "--fd=3", f"--shared-dir={SHARE}"), []),
    (("virtiofsd", "--fd=3", "-o", f"source={SHARE},cache=none"), []),
    (("virtiofsd", "--shared-dir=/"), ["/"]),
    (("virtiofsd", "-o", "cache=none,source=/proc"), ["/proc"]),
    (("virtiofsd", "--shared-dir", "/run/kata-containers/shared/sandboxes"), ["/run/kata-containers/shared/sandboxes"]),
    (("virtiofsd", "--shared-dir", f"{SHARE}/../../../../.."), [f"{SHARE}/../../../../.."]),
    ((QEMU, "-fsdev", f"local,id=x,path={SHARE},security_model=none"), []),
    ((QEMU, "-fsdev", "local,id=x,path=/srv/a,,b"), ["/srv/a,b"]),
    ((QEMU, "-virtfs", "proxy,socket=/x"), ["a folder that is not named"]),
    ((QEMU, "-drive", "file=fat:rw:/etc"), ["fat:rw:/etc"]),
    ((QEMU, "-blockdev", '{"driver":"host_device","filename":"/dev/sda"}'), ["/dev/sda"]),
    ((QEMU, "-hda", "/dev/nvme0n1"), ["/dev/nvme0n1"]),
    ((QEMU, "-object", "rng-random,id=r,filename=/dev/urandom"), []),
    ((CLOUD, "--disk", "path=/dev/dm-1"), ["/dev/dm-1"]),
]

DOORS = [
    ((QEMU, "-s", "-S"), ["-s"]),
    ((QEMU, "-qmp", "tcp:127.0.0.1:4444,server"), ["-qmp tcp:127.0.0.1:4444,server"]),
    ((QEMU, "-chardev", "socket,id=c,host=0.0.0.0,port=1"), ["-chardev socket,id=c,host=0.0.0.0,port=1"]),
    ((QEMU, "-chardev", "socket,id=c,path=/run/vc/vm/1/console.sock,server=on"), []),
    ((QEMU, "-qmp", "unix:/run/vc/vm/1/qmp.sock,server=on", "-monitor", "none"), []),
    ((QEMU, "-vnc", "127.0.0.1:1"), ["-vnc 127.0.0.1:1"]),
    ((QEMU, "-vnc", "none"), []),
    ((QEMU, "-readconfig", "/etc/more"), ["-readconfig /etc/more"]),
    ((QEMU, "-netdev", "tap,id=n,fds=3", "-nodefaults"), []),
    ((QEMU, "-sandbox", "on"), []),
    ((CLOUD, "--seccomp", "false"), ["-seccomp false"]),
    (("firecracker", "--no-seccomp", "--id", "1"), ["-no-seccomp"]),
]


@pytest.mark.parametrize(("amiss", "facts", "boundary"), WEAKER, ids=[each[0] for each in WEAKER])
def test_a_machine_with_a_way_around_its_kernel_is_weaker(amiss: str, facts: Facts, boundary: Boundary) -> None:
    assert conclude(VM, observe(facts)) == (boundary, Result.WEAKER)


def test_a_monitor_may_run_from_a_copy_in_its_jail() -> None:
    jailed = of.with_tasks(
        MACHINE, of.monitor(file=(8, 8), program="/srv/jailer/qemu-system-x86_64/1/root/qemu-system-x86_64")
    )
    assert conclude(VM, observe(jailed)) == (VM, Result.PROVEN)


@pytest.mark.parametrize(("what", "facts"), UNSEEN, ids=[each[0] for each in UNSEEN])
def test_a_machine_that_was_not_looked_at_proves_nothing(what: str, facts: Facts) -> None:
    assert conclude(VM, observe(facts)) == (Boundary.UNKNOWN, Result.UNPROVABLE)


def test_a_monitor_with_nothing_to_boot_is_there_for_its_name() -> None:
    idle = replace(of.watched(), arguments=(QEMU, "-name", "sandbox-1"))
    facts = replace(MACHINE, processes=replace(MACHINE.processes, machines=(idle,)))
    assert conclude(VM, observe(facts)) == (SHARED, Result.WEAKER)


def test_a_second_monitor_must_hold_a_machine_too() -> None:
    two = replace(MACHINE.processes, machines=(of.watched(), of.watched(machines=0)))
    assert conclude(VM, observe(replace(MACHINE, processes=two))) == (SHARED, Result.WEAKER)


@pytest.mark.parametrize(("arguments", "booted"), BOOTED)
def test_what_a_monitor_boots_stands_in_its_options(arguments: tuple[str, ...], booted: tuple[str, ...]) -> None:
    assert vmm_options.booted(arguments) == booted


@pytest.mark.parametrize(("arguments", "files"), FILES)
def test_only_a_sandboxs_own_folder_is_its_guests(arguments: tuple[str, ...], files: list[str]) -> None:
    assert list(vmm_options.foreign_files(arguments)) == files


@pytest.mark.parametrize(("arguments", "found"), DOORS)
def test_what_a_network_reaches_is_a_door(arguments: tuple[str, ...], found: list[str]) -> None:
    assert list(vmm_options.doors(arguments)) == found
