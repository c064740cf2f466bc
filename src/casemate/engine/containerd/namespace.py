"""The engine's mount namespace: held by a bind mount, so that containerd, shims and supervisor can come and go.

Rules:

1. The namespace's file lies on a private mount of its own: the kernel binds no mount namespace on a shared one.
2. Inside, mounts of the host arrive (slave), and none of ours leaves; they spread among the engine's own Pods where
   these ask for it (shared again, for `mountPropagation`). When the last process has left and the file is
   unmounted, the kernel drops every mount that the engine ever made.
3. Programs that keep state at fixed places (shims in /run/containerd, CNI in /var/lib/cni) see the engine's folders
   there, so that engines and the machine's own containerd never meet.
4. Inside, the namespace's file is not mounted; who is inside knows it by the identity that was noted when it was made.
5. On hosts with hybrid cgroups `/sys/fs/cgroup/unified` is hidden inside, because crun and others refuse such hosts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from casemate.engine.paths import EnginePaths
from casemate.errors import RuntimeFault

_FIXED_PLACES = {"shims": Path("/run/containerd"), "cni-results": Path("/var/lib/cni")}
"""Our folder in the engine's state, and the fixed place where it is seen."""

_OWN = Path("/proc/self/ns/mnt")
_KILL_SECONDS = 10.0


def create(paths: EnginePaths) -> None:
    """Make the namespace unless it exists. Raises `RuntimeFault` when the machine does not allow it (not root)."""
    if exists(paths):
        return
    holder = paths.mount_namespace.parent
    holder.mkdir(parents=True, exist_ok=True)
    for ours, place in _FIXED_PLACES.items():
        (paths.state / ours).mkdir(mode=0o711, exist_ok=True)
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not _is_mount_point(holder):
        _run("mount", "--bind", str(holder), str(holder))
        _run("mount", "--make-private", str(holder))
    paths.mount_namespace.touch()
    _run("unshare", f"--mount={paths.mount_namespace}", "--propagation", "slave", "--", "sh", "-ec", _prepare(paths))
    _note(paths).write_text(repr(_identity(paths.mount_namespace)), encoding="ascii")


def delete(paths: EnginePaths) -> None:
    """Let go of the namespace; its mounts vanish with its last process."""
    for place in (paths.mount_namespace, paths.mount_namespace.parent):
        while _is_mount_point(place):
            _run("umount", "--lazy", str(place))
    paths.mount_namespace.unlink(missing_ok=True)
    _note(paths).unlink(missing_ok=True)


def exists(paths: EnginePaths) -> bool:
    """Whether the namespace is there."""
    return _engine(paths) is not None


def command(paths: EnginePaths, *arguments: str) -> list[str]:
    """The command line that runs `arguments` inside the namespace, from inside or outside."""
    if _identity(_OWN) == _engine(paths):
        return [*arguments]
    return ["nsenter", f"--mount={paths.mount_namespace}", "--", *arguments]


def members(paths: EnginePaths) -> tuple[int, ...]:
    """Process ids inside the namespace: containerd, shims, supervisor. Containers have namespaces of their own."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return tuple(pid for pid in pids if contains(paths, pid))


def contains(paths: EnginePaths, pid: int) -> bool:
    """Whether a live process of that id is inside (so a reused id is told from the process that we started)."""
    inside = _identity(Path(f"/proc/{pid}/ns/mnt"))
    return inside is not None and inside == _engine(paths)


def kill_members(paths: EnginePaths) -> None:
    """Kill every process inside, and wait until they are gone (ten seconds at most)."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (pids := set(members(paths)) - {os.getpid()}) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _engine(paths: EnginePaths) -> tuple[int, int] | None:
    if _is_mount_point(paths.mount_namespace):
        return _identity(paths.mount_namespace)
    own = _identity(_OWN)
    noted = _note(paths).read_text(encoding="ascii") if _note(paths).exists() else ""
    return own if repr(own) == noted else None


def _note(paths: EnginePaths) -> Path:
    return paths.state / "ns.id"


def _prepare(paths: EnginePaths) -> str:
    hide = "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi"
    binds = (f"mount --bind {paths.state / ours} {place}" for ours, place in _FIXED_PLACES.items())
    return "; ".join(("mount --make-rshared /", hide, *binds))


def _identity(place: Path) -> tuple[int, int] | None:
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_mount_point(place: Path) -> bool:
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    return any(line.split()[4] == str(place) for line in table.splitlines())


def _run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFault(
            f"{' '.join(arguments[:2])} failed: {done.stderr.strip()}", fix="run as root; see `casemate engine status`"
        )
