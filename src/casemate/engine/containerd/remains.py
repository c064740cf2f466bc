"""What may be left of an engine when its containerd is gone: found by where it is, ended, removed.

Processes are the engine's when they are in its mount namespace (shims, supervisor) or below its cgroup (containers).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from casemate.engine.containerd import namespace
from casemate.engine.paths import EnginePaths

_CGROUPS = Path("/sys/fs/cgroup")
_SECONDS = 10.0


def kill(paths: EnginePaths) -> None:
    """Kill everything of the engine, and wait until it is gone (ten seconds at most)."""
    deadline = time.monotonic() + _SECONDS
    while (pids := _processes(paths)) and time.monotonic() < deadline:
        for pid in pids - {os.getpid()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def remove_cgroups(paths: EnginePaths) -> None:
    """Remove the engine's cgroups, in every hierarchy; those in use stay."""
    for top in _tops(paths):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        with suppress(OSError):
            top.parent.rmdir()


def _processes(paths: EnginePaths) -> set[int]:
    return {*namespace.members(paths), *_in_cgroups(paths)}


def _in_cgroups(paths: EnginePaths) -> Iterator[int]:
    for top in _tops(paths):
        for folder, _, _ in os.walk(top):
            with suppress(OSError):
                yield from map(int, (Path(folder) / "cgroup.procs").read_text(encoding="ascii").split())


def _tops(paths: EnginePaths) -> list[Path]:
    """`/casemate/<engine>` in the only hierarchy (version 2) or in each (version 1)."""
    inner = Path("casemate") / paths.name
    return [each for each in (_CGROUPS / inner, *_CGROUPS.glob(f"*/{inner}")) if each.is_dir()]
