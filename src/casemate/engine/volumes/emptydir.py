"""emptyDir volumes.

1. On disk it is a folder, open to all (0777). No kernel enforces `sizeLimit` there: the supervisor evicts a Pod that
   exceeds it (`over_limit`), as a kubelet does.
2. `medium: Memory` is a tmpfs, never larger than the Pod's memory limit, `sizeLimit` or the node's memory; it does not
   swap where the kernel can (6.4).
3. `medium: HugePages-<size>` is a hugetlbfs of that page size; `HugePages` of the only size that the Pod requests.
4. Its content lasts as long as the Pod: making it again changes nothing.

Source: k8s.io/kubernetes v1.36: pkg/volume/emptydir.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from casemate.engine.instance import PodInstance
from casemate.engine.translate.resources import pod_cgroup
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.volumes import kernel
from casemate.engine.volumes.layout import volume_folder
from casemate.errors import InputError
from casemate.model.handler import NodeFacts
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.volumes import EmptyDirVolumeSource
from casemate.model.quantity import parse, whole

KIND = "empty-dir"
ON_DISK = EmptyDirVolumeSource()
"""An emptyDir without any setting."""

_HUGE_PAGES = "HugePages"
_NO_SWAP_SINCE = (6, 4)


def make(source: EmptyDirVolumeSource, folder: Path, instance: PodInstance, node: NodeFacts) -> bool:
    """Make the volume at `folder`; False when it was there already."""
    if folder.exists() and (not source.medium or kernel.is_mount_point(folder)):
        return False
    spec = pod_spec(instance)
    folder.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        mount_tmpfs(folder, memory_size(source, pod_cgroup(spec, instance.overhead).memory, node))
    elif source.medium:
        kernel.mount("nodev", folder, "hugetlbfs", options=f"pagesize={huge_page_size(source.medium, spec)}")
    else:
        folder.chmod(0o777)
    return True


def mount_tmpfs(folder: Path, size: int = 0) -> None:
    """Mount a tmpfs of `size` bytes (0: the kernel's default), without swap where the kernel can."""
    limit = [f"size={size}"] if size else []
    if _kernel() >= _NO_SWAP_SINCE:
        with contextlib.suppress(OSError):  # not in every user namespace
            kernel.mount("tmpfs", folder, "tmpfs", options=",".join([*limit, "noswap"]))
            return
    kernel.mount("tmpfs", folder, "tmpfs", options=",".join(limit))


def memory_size(source: EmptyDirVolumeSource, pod_limit: int | None, node: NodeFacts) -> int:
    """Bytes that a volume in memory may take; `pod_limit` is the Pod's memory limit."""
    wanted = whole(source.sizeLimit) if source.sizeLimit is not None else None
    return min(size for size in (node.memory, pod_limit, wanted) if size)


def huge_page_size(medium: str, spec: PodSpec) -> int:
    """Bytes of a page of that medium. Raises `InputError` when `HugePages` alone leaves a choice, or none."""
    sizes = {
        name.removeprefix("hugepages-")
        for container in (*spec.containers, *spec.initContainers)
        if container.resources
        for name in container.resources.limits | container.resources.requests
        if name.startswith("hugepages-")
    }
    chosen = {medium.removeprefix(f"{_HUGE_PAGES}-")} if medium != _HUGE_PAGES else sizes
    if len(chosen) != 1 or not chosen <= sizes:
        raise InputError(
            f"emptyDir medium {medium!r} needs a page size that the Pod requests, and it requests {sorted(sizes)}",
            fix="set resources.limits of hugepages-<size>",
        )
    return int(parse(chosen.pop()))


def over_limit(spec: PodSpec, pod: Path) -> tuple[str, ...]:
    """Names of the Pod's volumes on disk that hold more than their `sizeLimit`. `pod` is the Pod's folder."""
    return tuple(
        volume.name
        for volume in spec.volumes
        if volume.emptyDir and not volume.emptyDir.medium and volume.emptyDir.sizeLimit is not None
        if _used(volume_folder(pod, KIND, volume.name)) > whole(volume.emptyDir.sizeLimit)
    )


def _used(folder: Path) -> int:
    """Bytes on disk below `folder`; symlinks and other file systems are not followed."""
    if not folder.exists():
        return 0
    device, total = folder.stat().st_dev, 0
    for _, _, files, descriptor in os.fwalk(folder, follow_symlinks=False, onerror=None):
        if os.fstat(descriptor).st_dev != device:
            continue
        for name in (".", *files):
            try:
                total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * 512
            except FileNotFoundError:  # the container removed it meanwhile
                continue
    return total


def _kernel() -> tuple[int, ...]:
    """Version of the kernel. An older one would log every option that it does not know."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
