"""A Pod's cgroup on an engine that leaves cgroups to systemd: a slice (an existing containerd or CRI-O, as a rule).

1. Its name says its place: `casemate-<engine>-pod<uid>.slice` lies in `casemate-<engine>.slice`; a dash within a name
   would be a level, so it is written `_`.
2. Limits are properties of the unit until the next boot; systemd makes the slice when the first process starts in it.
3. Stopping a slice ends all that runs in it.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/cm/cgroup_manager_linux.go; systemd.resource-control(5).
"""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath

from casemate.engine.translate.resources import CPU_PERIOD, PodCgroup, cpu_weight
from casemate.errors import RuntimeFault

SUFFIX = ".slice"


def pod_slice_path(engine: str, uid: str) -> str:
    """The slice of a Pod with the slices that it lies in, as CRI's `cgroup_parent` takes it."""
    return _path("casemate", engine, f"pod{uid}")


def engine_slice_path(engine: str) -> str:
    """The slice of all Pods of an engine."""
    return _path("casemate", engine)


def create(version: str, path: str, limits: PodCgroup) -> None:
    """Set the slice's limits. Raises `RuntimeFault` when systemd does not take them."""
    _systemctl("set-property", "--runtime", _unit(path), *properties(version, limits))


def remove(path: str) -> None:
    """End all that runs in the slice and forget its limits. None is no error."""
    _systemctl("stop", _unit(path))
    _systemctl("revert", _unit(path))


def properties(version: str, limits: PodCgroup) -> tuple[str, ...]:
    """The limits in systemd's words; `version` is the node's cgroups: `v1`, `v2` or `hybrid`."""
    unified = version == "v2"
    weight = f"CPUWeight={cpu_weight(limits.cpu_shares)}" if unified else f"CPUShares={limits.cpu_shares}"
    quota = f"{limits.cpu_quota * 100 / CPU_PERIOD:g}%" if limits.cpu_quota else ""
    memory = str(limits.memory) if limits.memory else "infinity"
    return weight, f"CPUQuota={quota}", f"{'MemoryMax' if unified else 'MemoryLimit'}={memory}"


def _path(*names: str) -> str:
    levels = [name.replace("-", "_") for name in names]
    return "".join(f"/{'-'.join(levels[: depth + 1])}{SUFFIX}" for depth in range(len(levels)))


def _unit(path: str) -> str:
    return PurePosixPath(path).name


def _systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFault(f"systemctl {words[0]}: {done.stderr.strip()}", where=words[-1])
