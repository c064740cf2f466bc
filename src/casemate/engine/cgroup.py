"""A Pod's own cgroup: the limits of all its containers and its sandbox together, and its overhead.

1. Its name is `/casemate/<engine>/pod<uid>`; containers and sandbox are below it.
2. It exists, with its limits, before the sandbox does.
3. cgroup v1 has a tree for each controller, v2 one tree in which each level passes its controllers down.
4. Where a tree of v2 is hidden beside those of v1 (hybrid), crun leaves plain files in its place; they go too.
5. An engine that leaves cgroups to systemd gets a slice instead (`casemate.engine.systemd_slice`).
6. Removing kills what is left in it: a Pod's processes never outlive the Pod.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/cm/pod_container_manager_linux.go.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from casemate.engine import systemd_slice
from casemate.engine.translate.resources import CPU_PERIOD, PodCgroup, cpu_weight
from casemate.engine.volumes import kernel
from casemate.errors import RuntimeFault

ROOT = Path("/sys/fs/cgroup")

_V2_CONTROLLERS = ("cpu", "memory", "hugetlb", "pids", "cpuset", "io")
_HUGE_PAGES = Path("/sys/kernel/mm/hugepages")
_PATIENCE = 10.0


def pod_cgroup_path(engine: str, uid: str, *, systemd: bool = False) -> str:
    """The cgroup of a Pod, as CRI's `cgroup_parent` takes it; `systemd` is the engine's cgroup driver."""
    return systemd_slice.pod_slice_path(engine, uid) if systemd else f"/casemate/{engine}/pod{uid}"


def create(version: str, path: str, limits: PodCgroup, root: Path = ROOT) -> None:
    """Make the cgroup with its limits, or set them anew. `version` is the node's: `v1`, `v2` or `hybrid`."""
    if path.endswith(systemd_slice.SUFFIX):
        systemd_slice.create(version, path, limits)
        return
    try:
        if version == "v2":
            _create_unified(root, path.strip("/"), limits)
        else:
            _create_legacy(root, path.strip("/"), limits)
    except OSError as error:
        raise RuntimeFault(f"cannot make the Pod's cgroup: {error.strerror}", where=str(error.filename)) from error


def remove(path: str, root: Path = ROOT) -> None:
    """Kill what runs in the cgroup and remove it with all below it. None is no error.

    Raises `RuntimeFault` when a process does not end.
    """
    if path.endswith(systemd_slice.SUFFIX):
        systemd_slice.remove(path)
        return
    deadline = time.monotonic() + _PATIENCE
    while left := [tree for tree in _trees(root) if not _removed(tree, path.strip("/"))]:
        if time.monotonic() > deadline:
            raise RuntimeFault("processes of the Pod do not end", where=f"{left[0]}{path}")
        time.sleep(0.02)


def remove_engine(engine: str, root: Path = ROOT, *, systemd: bool = False) -> None:
    """Remove the cgroups of an engine without Pods, and casemate's when it was the last."""
    if systemd:
        systemd_slice.remove(systemd_slice.engine_slice_path(engine))
        return
    remove(f"/casemate/{engine}", root)
    for tree in _trees(root):
        with suppress(OSError):
            (tree / "casemate").rmdir()


def huge_page_sizes(folder: Path = _HUGE_PAGES) -> tuple[str, ...]:
    """The node's huge page sizes as cgroups name them, such as `2MB`."""
    kilobytes = (int(each.name.removeprefix("hugepages-").removesuffix("kB")) for each in folder.glob("hugepages-*kB"))
    return tuple(_size(size) for size in sorted(kilobytes))


def limits_swap(version: str, root: Path = ROOT) -> bool:
    """Whether the node's cgroups can keep a container from swapping."""
    if version == "v2":
        return any(root.glob("*/memory.swap.max"))
    return (root / "memory" / "memory.memsw.limit_in_bytes").exists()


def _create_legacy(root: Path, path: str, limits: PodCgroup) -> None:
    cpu, memory = root / "cpu" / path, root / "memory" / path
    cpu.mkdir(parents=True, exist_ok=True)
    _write(cpu / "cpu.shares", limits.cpu_shares)
    _write(cpu / "cpu.cfs_period_us", CPU_PERIOD)
    _write(cpu / "cpu.cfs_quota_us", limits.cpu_quota or -1)
    memory.mkdir(parents=True, exist_ok=True)
    if limits.memory:
        _write(memory / "memory.limit_in_bytes", limits.memory)
    if (root / "hugetlb").is_dir():
        pages = root / "hugetlb" / path
        pages.mkdir(parents=True, exist_ok=True)
        for size, bytes_ in limits.huge_pages.items():
            _write(pages / f"hugetlb.{size}.limit_in_bytes", bytes_)


def _create_unified(root: Path, path: str, limits: PodCgroup) -> None:
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    for level in (*reversed(folder.relative_to(root).parents), Path(path)):
        _pass_down(root / level)
    _write(folder / "cpu.weight", cpu_weight(limits.cpu_shares))
    _write(folder / "cpu.max", f"{limits.cpu_quota or 'max'} {CPU_PERIOD}")
    _write(folder / "memory.max", limits.memory or "max")
    for size, bytes_ in limits.huge_pages.items():
        if (folder / f"hugetlb.{size}.max").exists():
            _write(folder / f"hugetlb.{size}.max", bytes_)


def _pass_down(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    for controller in _V2_CONTROLLERS:
        if controller in available:
            _write(folder / "cgroup.subtree_control", f"+{controller}")


def _trees(root: Path) -> Iterable[Path]:
    """The one tree of v2, or those of v1."""
    if (root / "cgroup.controllers").exists():
        return (root,)
    return tuple(each for each in root.iterdir() if each.is_dir() and not each.is_symlink())


def _removed(tree: Path, path: str) -> bool:
    """Whether the cgroup is gone from a tree after killing what runs in it and removing what is empty."""
    folder = tree / path
    if not folder.exists():
        return True
    if not kernel.is_mount_point(tree):
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    gone = True
    for each in _deepest_first(folder):
        try:
            each.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
            gone = False
            _kill(each)
    return gone


def _deepest_first(folder: Path) -> Iterator[Path]:
    for parent, _, _ in os.walk(folder, topdown=False):
        yield Path(parent)


def _kill(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _write(file: Path, value: int | str) -> None:
    file.write_text(str(value))


def _size(kilobytes: int) -> str:
    if kilobytes >= 1 << 20:
        return f"{kilobytes >> 20}GB"
    return f"{kilobytes >> 10}MB" if kilobytes >= 1 << 10 else f"{kilobytes}KB"
