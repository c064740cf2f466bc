"""Processes as the node's kernel has them, read from /proc.

1. A scan reads every process of the node once. What vanishes while it is read is left out: it held no challenge, which
   lives on until the proof has ended.
2. A process belongs to a sandbox when it lies in the Pod's cgroup, or descends from one that does: a process that was
   moved out of its cgroup is still found. Kata keeps its monitor beside the Pod's cgroup, in one that bears the
   sandbox's id (`/kata_overhead/…`, docs/design/host-cgroups.md of Kata), unless it is told otherwise.
3. The executable is what the kernel runs (/proc/PID/exe), read through the kernel and not by a path, which may be
   another file by now.
4. Threads of the node's own kernel run for monitors too (vhost, kvm), in their cgroup; they have no program. Nobody but
   the kernel can be a child of its process 2.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from casemate.prove.gobuild import read_build

PROC = Path("/proc")

INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""The inode of the first process-id namespace (linux/proc_ns.h): only there are all processes of the node seen."""


_KERNELS = 2  # kthreadd


@dataclass(frozen=True)
class Seen:
    """A process in one scan: what tells whose it is."""

    pid: int
    parent: int
    arguments: bytes
    cgroups: str

    @property
    def is_kernels(self) -> bool:
        """Whether it is a thread of the kernel's own (rule 4)."""
        return self.parent == _KERNELS and not self.arguments

    def carries(self, challenge: str) -> bool:
        """Whether the challenge is among its arguments."""
        return challenge.encode() in self.arguments

    def lies_in(self, cgroup: str) -> bool:
        """Whether it is in that cgroup or below, in any tree."""
        paths = (line.split(":", 2)[2] for line in self.cgroups.splitlines() if line.count(":") >= 2)
        return any(path == cgroup or path.startswith(f"{cgroup}/") for path in paths)


@dataclass(frozen=True)
class Task:
    """A process with what confines it. Capabilities are a bit set; namespaces are inodes by name.

    `file` is the executable's device and inode; `module` the package that Go built it from, empty for others.
    """

    pid: int
    arguments: tuple[str, ...]
    program: str
    digest: str
    file: tuple[int, int]
    module: str
    namespaces: dict[str, int]
    seccomp: int
    filters: int
    no_new_privileges: bool
    effective: int
    uid_map: tuple[int, ...]
    label: str

    @property
    def own_user_namespace(self) -> bool:
        """Whether root in there is not the node's root."""
        return bool(self.uid_map) and self.uid_map != (0, 0, 0xFFFFFFFF)


@dataclass
class Digests:
    """sha256 of executables, each file read once in the life of this object."""

    known: dict[tuple[int, int, int, int], str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)

    def of(self, path: Path) -> str:
        """`sha256:…` of the file; empty when it cannot be read."""
        with suppress(OSError), path.open("rb") as file:
            status = os.fstat(file.fileno())
            key = (status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns)
            if key not in self.known:
                self.known[key] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            return self.known[key]
        return ""

    def module(self, path: Path) -> str:
        """The package that Go built the file from; empty for what is no Go program."""
        digest = self.of(path)
        if digest not in self.modules:
            build = read_build(path)
            self.modules[digest] = build.path if build else ""
        return self.modules[digest]


def scan(proc: Path = PROC) -> tuple[Seen, ...]:
    """Every process of the node, as of now."""
    return tuple(_scan(proc))


def of_sandbox(seen: Iterable[Seen], cgroup: str, sandbox: str) -> tuple[Seen, ...]:
    """The processes of the sandbox of that id, whose Pod has that cgroup (rule 2)."""
    everyone = tuple(seen)
    members = (each for each in everyone if each.lies_in(cgroup) or _beside(each.cgroups, sandbox))
    return _with_descendants(everyone, {each.pid for each in members})


def _beside(cgroups: str, sandbox: str) -> bool:
    paths = (line.split(":", 2)[2].split("/") for line in cgroups.splitlines() if line.count(":") >= 2)
    return any(path[1:2] == ["kata_overhead"] and sandbox in path[2:] for path in paths)


def _with_descendants(everyone: tuple[Seen, ...], members: set[int]) -> tuple[Seen, ...]:
    while grown := {each.pid for each in everyone if each.parent in members and each.pid not in members}:
        members |= grown
    return tuple(each for each in everyone if each.pid in members)


def of_pod(seen: Iterable[Seen], marker: str) -> tuple[Seen, ...]:
    """The processes of a Pod by what a kubelet, and the engine, write into its cgroup's path: `pod` and its uid."""
    everyone = tuple(seen)
    return _with_descendants(everyone, {each.pid for each in everyone if _marked(each.cgroups, marker)})


def _marked(cgroups: str, marker: str) -> bool:
    parts = {part.removesuffix(".slice") for line in cgroups.splitlines() for part in line.split("/")[1:]}
    systemd = marker.replace("-", "_")
    return any(part == marker or part.endswith(f"-{systemd}") for part in parts)


def look(pid: int, digests: Digests, proc: Path = PROC) -> Task | None:
    """The process of that id; None when it may not be looked at. Raises `ProcessLookupError` when it is gone."""
    folder = proc / str(pid)
    try:
        status = dict(_pairs((folder / "status").read_text(encoding="utf-8", errors="replace")))
        return Task(
            pid=pid,
            arguments=_arguments((folder / "cmdline").read_bytes()),
            program=str((folder / "exe").readlink()),
            digest=digests.of(folder / "exe"),
            file=identity(folder / "exe"),
            module=digests.module(folder / "exe"),
            namespaces=namespaces(pid, proc),
            seccomp=int(status["Seccomp"]),
            filters=int(status.get("Seccomp_filters", "0")),
            no_new_privileges=status["NoNewPrivs"] == "1",
            effective=int(status["CapEff"], 16),
            uid_map=tuple(map(int, (folder / "uid_map").read_text(encoding="ascii").split())),
            label=_label(folder),
        )
    except (OSError, KeyError, ValueError):
        if _gone(folder):
            raise ProcessLookupError from None
        return None


def ended(pid: int, proc: Path = PROC) -> bool:
    """Whether the process has ended."""
    return _gone(proc / str(pid))


def _gone(folder: Path) -> bool:
    """Whether the process has ended; one that nobody has waited for yet has no program any more."""
    try:
        return (folder / "stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def namespaces(pid: int | str, proc: Path = PROC) -> dict[str, int]:
    """The namespaces of a process, by name. Raises `OSError` when it is gone."""
    folder = proc / str(pid) / "ns"
    return {name: (folder / name).stat().st_ino for name in ("user", "pid", "net", "mnt", "ipc", "uts")}


def identity(file: Path) -> tuple[int, int]:
    """Device and inode: two paths are one file when these are equal. Raises `OSError` when there is none."""
    status = file.stat()
    return status.st_dev, status.st_ino


def sees_whole_node(proc: Path = PROC) -> bool:
    """Whether a scan from here finds all processes of the node."""
    return (proc / "self" / "ns" / "pid").stat().st_ino == INITIAL_PID_NAMESPACE


def _scan(proc: Path) -> Iterator[Seen]:
    for name in os.listdir(proc):  # noqa: PTH208 - half the time of iterdir
        if not name.isdecimal():
            continue
        try:
            arguments = (proc / name / "cmdline").read_bytes()
            cgroups = (proc / name / "cgroup").read_text(encoding="utf-8", errors="replace")
            parent = (proc / name / "stat").read_bytes().rpartition(b")")[2].split()[1]
        except OSError:
            continue
        yield Seen(int(name), int(parent), arguments, cgroups)


def _pairs(status: str) -> Iterator[tuple[str, str]]:
    for line in status.splitlines():
        name, _, value = line.partition(":")
        yield name, value.strip()


def _arguments(line: bytes) -> tuple[str, ...]:
    return tuple(line.decode("utf-8", "replace").removesuffix("\0").split("\0")) if line else ()


def _label(folder: Path) -> str:
    """The security module's label: AppArmor's has a file of its own, beside the one that it shares with others."""
    for file in (folder / "attr" / "apparmor" / "current", folder / "attr" / "current"):
        with suppress(OSError):
            return file.read_text(encoding="utf-8", errors="replace").strip("\0\n")
    return ""
