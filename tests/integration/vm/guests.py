"""Real guests: Debian's kernel in QEMU, with an initramfs of busybox and the prober, and a shell on its serial port.

1. QEMU translates (TCG): it needs no KVM, and boots in seconds. Its processes lie in a cgroup of their own, as those of
   a Pod's sandbox do.
2. What the guest is told goes through QEMU's standard input, never through arguments: a challenge that shows up on the
   node would be there for another reason.
3. A guest may be given folders of the node by virtiofs, as Kata's are.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from guest_kernel import GuestKernel

from casemate.engine.install import tools

QEMU = Path("/usr/bin/qemu-system-x86_64")
VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
READY = "casemate-guest-ready"
PLAIN = ("-nodefaults", "-no-user-config", "-display", "none")
_CGROUPS = Path("/sys/fs/cgroup")
_PATIENCE = 60.0
_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t securityfs securityfs /sys/kernel/security
stty -echo
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
echo {READY}
while read -r line; do sh -c "$line" & done
"""


@dataclass
class Guest:
    """A guest that runs, its cgroup, and what it has said."""

    process: subprocess.Popen[bytes]
    cgroup: str
    said: bytearray = field(default_factory=bytearray)

    def tell(self, command: str) -> None:
        """Have the guest's shell run a command, beside what runs there already."""
        assert self.process.stdin
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, mark: str) -> str:
        """The first whole line that has the mark, once it is said."""
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            for each in self.said.split(b"\n")[:-1]:
                if mark.encode() in each:
                    return each.decode("utf-8", "replace").strip()
            self._hear(ends - time.monotonic())
        raise AssertionError(f"the guest never said {mark}: {self.said[-2000:].decode('utf-8', 'replace')}")

    def _hear(self, seconds: float) -> None:
        assert self.process.stdout
        if select.select([self.process.stdout], [], [], seconds)[0]:
            heard = os.read(self.process.stdout.fileno(), 65536)
            assert heard, f"QEMU ended: {self.said[-2000:].decode('utf-8', 'replace')}"
            self.said += heard


def initramfs(kernel: GuestKernel, files: Mapping[str, bytes], modules: tuple[str, ...] = ()) -> bytes:
    """The guest's root in RAM, as the kernel unpacks it (newc: Documentation/driver-api/early-userspace of Linux)."""
    loaded = kernel.modules(*modules)
    content = {
        "init": _INIT.encode(),
        "bin/busybox": Path("/bin/busybox").read_bytes(),
        "probe": (tools.probe().folder / "probe").read_bytes(),
        "modules/order": " ".join(each.stem for each in loaded).encode(),
        **{f"modules/{each.name}": each.read_bytes() for each in loaded},
        **files,
    }
    folders = {"proc", "sys", "dev", "tmp", "mnt", *(str(Path(name).parent) for name in content)} - {"."}
    entries = [_entry(each, 0o40755, b"") for each in sorted(folders)]
    entries += [_entry(name, 0o100755, data) for name, data in content.items()]
    return b"".join((*entries, _entry("TRAILER!!!", 0, b"")))


def _entry(name: str, mode: int, data: bytes) -> bytes:
    written = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(written), 0)
    head = b"070701" + b"".join(b"%08X" % each for each in fields) + written
    return b"".join((head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)))


@contextmanager
def started(name: str, program: Path, *arguments: str) -> Iterator[Guest]:
    """A program in a cgroup of its own, as a sandbox's monitor is; nothing is known of a guest."""
    with _cgroup(name) as cgroup:
        process = _start(cgroup, str(program), *arguments)
        try:
            _await(lambda: Path(f"/proc/{process.pid}/exe").samefile(program))
            yield Guest(process, cgroup)
        finally:
            _end(process)


@contextmanager
def booted(
    kernel: GuestKernel, ram: Path, name: str, *options: str, shares: Mapping[str, str] | None = None
) -> Iterator[Guest]:
    """A guest that has booted to its shell. `shares` are folders of the node, by the tag under which it mounts them."""
    with ExitStack() as stack:
        cgroup = stack.enter_context(_cgroup(name))
        given = [stack.enter_context(_shared(tag, at, ram, cgroup)) for tag, at in (shares or {}).items()]
        memory = ("-object", "memory-backend-memfd,id=ram,size=256M,share=on", "-machine", "q35,memory-backend=ram")
        console = ("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
        line = ("-append", "console=ttyS0 quiet loglevel=0 panic=-1 apparmor=1 security=apparmor")
        start = ("-kernel", str(kernel.image), "-initrd", str(ram), *line, "-m", "256")
        plain = (*PLAIN, "-no-reboot", "-accel", "tcg", "-name", name)
        process = _start(cgroup, str(QEMU), *plain, *memory, *console, *start, *chain(*given), *options)
        stack.callback(_end, process)
        guest = Guest(process, cgroup)
        guest.line(READY)
        yield guest


@contextmanager
def _shared(tag: str, folder: str, beside: Path, cgroup: str) -> Iterator[tuple[str, ...]]:
    socket = beside.with_name(f"{tag}.sock")
    cache = "none" if folder == "/proc" else "auto"  # files of /proc have no size to go by
    options = f"source={folder},cache={cache},sandbox=chroot"
    process = _start(cgroup, str(VIRTIOFSD), f"--socket-path={socket}", "-o", options)
    try:
        _await(socket.exists)
        yield ("-chardev", f"socket,id={tag},path={socket}", "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}")
    finally:
        _end(process)


@contextmanager
def _cgroup(name: str) -> Iterator[str]:
    tree = _CGROUPS if (_CGROUPS / "cgroup.procs").exists() else _CGROUPS / "pids"
    folder = tree / "casemate-vm" / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield f"/casemate-vm/{name}"
    finally:
        for each in (folder, folder.parent):
            with suppress(OSError):
                each.rmdir()


@contextmanager
def monitor(name: str, *options: str) -> Iterator[Guest]:
    """A real monitor that is set up and waits: its guest, where it has one, never runs."""
    with started(name, QEMU, *PLAIN, *options, "-S", "-qmp", "stdio") as waiting:
        waiting.tell('{"execute": "qmp_capabilities"}')
        waiting.line('"return"')
        yield waiting


def _start(cgroup: str, *command: str) -> subprocess.Popen[bytes]:
    tree = _CGROUPS if (_CGROUPS / "cgroup.procs").exists() else _CGROUPS / "pids"
    pipe = subprocess.PIPE
    joined = 'echo $$ >"$0" && exec "$@"'
    line = ["sh", "-c", joined, f"{tree}{cgroup}/cgroup.procs", *command]
    return subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)


def _await(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
