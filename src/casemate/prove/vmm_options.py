"""What the options of virtual machine monitors, and of those who serve them files, say of a machine.

Sources: qemu(1); docs/api.md of Cloud Hypervisor; docs/getting-started.md of Firecracker; virtiofsd(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import PurePosixPath

_KERNEL = ("kernel", "firmware")
_DISKS = ("drive", "blockdev", "disk", "hda", "hdb", "hdc", "hdd", "cdrom", "pmem")
_BOOTED = (*_KERNEL, *_DISKS, "incoming", "loadvm", "restore", "config-file", "api-sock", "api-socket")
_OWN = (PurePosixPath("/run/kata-containers/shared/sandboxes"), PurePosixPath("/run/kata"))
_DEVICES = ("vfio-pci", "vfio-ccw", "vfio-ap", "vhost-vsock")
_SOCKETS = ("monitor", "qmp", "qmp-pretty", "mon", "chardev", "serial", "incoming", "spice", "display")
_REACHABLE = re.compile(r"\b(tcp|telnet|tn3270|udp|websocket)[:=]|^(socket|udp),(?!.*\bpath=)|\b(port|tls-port|host)=")
_NODES_DISK = re.compile(r"(?<![\w/])/dev/[\w/.-]+|\bfat:\S+")
_KIND = ("machine", "M", "accel", "m", "memory", "sandbox", "runas", "seccomp")
_COMMANDED = ("monitor", "qmp", "qmp-pretty", "api-sock", "api-socket")
_FILTER_OFF = {"no-seccomp": ("",), "seccomp": ("false", "log")}


def booted(arguments: Sequence[str]) -> tuple[str, ...]:
    """What the monitor boots, by its arguments; nothing when they name nothing."""
    named = ((name, value) for name, value in _options(arguments) if name in _BOOTED and value)
    return tuple(f"{name} {value}" for name, value in named if "if=pflash" not in value)


def booted_kernel(arguments: Sequence[str]) -> str:
    """The path of the guest's kernel, or of its firmware; empty when the arguments name none."""
    return next((value for name, value in _options(arguments) if name in _KERNEL), "")


def foreign_files(arguments: Sequence[str]) -> Iterator[str]:
    """Folders and disks of the node that these arguments hand to a guest, and that are not its sandbox's own."""
    for name, value in _options(arguments):
        fields = _fields(value)
        if name in ("virtfs", "fsdev"):
            yield from _not_own(fields.get("path", ""))
        elif name == "shared-dir":
            yield from _not_own(value)
        elif name == "o" and "source" in fields:
            yield from _not_own(fields["source"])
        elif name in _DISKS:
            yield from (found[0] for found in _NODES_DISK.finditer(value))


def doors(arguments: Sequence[str]) -> Iterator[str]:
    """Options by which a monitor is commanded, or a guest gets out, around the boundary."""
    return (f"-{name} {value}".strip() for name, value in _options(arguments) if _opens(name, value))


def worth_telling(arguments: Sequence[str]) -> Iterator[str]:
    """Options that say what kind of machine it is, and how its monitor is confined and commanded."""
    return (f"-{name} {value}" for name, value in _options(arguments) if _is_told(name, value))


def _opens(name: str, value: str) -> bool:
    match name:
        case "gdb" | "s" | "readconfig":
            return True
        case "no-seccomp" | "seccomp":
            return value in _FILTER_OFF[name]
        case "vnc":
            return not value.startswith(("none", "unix:"))
        case "netdev" | "net" | "nic":
            return value.partition(",")[0] == "user"
        case _:
            return name in _SOCKETS and _REACHABLE.search(value) is not None


def _is_told(name: str, value: str) -> bool:
    if name == "device":
        return value.startswith(_DEVICES)
    return name in _KIND or (name in _COMMANDED and value != "none")


def _not_own(folder: str) -> Iterable[str]:
    path = PurePosixPath(folder)
    if ".." in path.parts or not any(own in path.parents for own in _OWN):
        yield folder or "a folder that is not named"


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, however the program spells them: `-name value`, `--name value`, `--name=value`."""
    for word, following in zip_longest(arguments[1:], arguments[2:], fillvalue=""):
        if word.startswith("-"):
            name, given, value = word.lstrip("-").partition("=")
            yield name, value if given or following.startswith("-") else following


def _fields(value: str) -> dict[str, str]:
    """The `key=value` parts of an option's value; a comma that is meant is written twice (qemu(1))."""
    parts = re.split(r"(?<!,),(?!,)", value)
    return {key: text.replace(",,", ",") for key, given, text in (part.partition("=") for part in parts) if given}
