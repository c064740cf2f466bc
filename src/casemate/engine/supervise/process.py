"""Starting and stopping the supervisor.

Rules:

1. A keeper, a shell of a few lines, starts the supervisor again when it dies; an exit with 0 is meant.
2. Both run in the engine's mount namespace, so that volumes they mount are seen by containerd.
3. A process counts as ours when its command line names our engine; a process id in a file proves nothing.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

from casemate.engine.containerd import namespace
from casemate.engine.containerd.process import end
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import load_settings
from casemate.errors import IncompleteError

START_LIMIT = 30.0
STOP_LIMIT = 10.0
_MODULE = "casemate.engine.supervise"


def log_file(paths: EnginePaths) -> Path:
    """Where the supervisor's complaints go."""
    return paths.state / "supervisor.log"


def start(paths: EnginePaths) -> None:
    """Start keeper and supervisor unless they run, and wait until the supervisor answers."""
    settings = load_settings(paths)
    paths.state.mkdir(parents=True, exist_ok=True)
    with (paths.state / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _keeper(paths):
            _spawn(paths, external=settings.external)
    _await(paths)


def stop(paths: EnginePaths) -> None:
    """End keeper and supervisor; Pods stay as they are."""
    for pid in (*_keeper(paths), *_supervisors(paths)):
        end(pid, STOP_LIMIT)
    paths.supervisor_socket.unlink(missing_ok=True)


def running(paths: EnginePaths) -> int | None:
    """The supervisor's process id, or None."""
    return next(iter(_supervisors(paths)), None)


def _spawn(paths: EnginePaths, *, external: bool) -> None:
    command = shlex.join([sys.executable, "-m", _MODULE, paths.name])
    keeper = ["sh", "-c", f"until {command}; do sleep 0.5; done", _keeper_name(paths)]
    argv = keeper if external else namespace.command(paths, *keeper)
    with log_file(paths).open("ab") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, env=_environment()
        )
    child.returncode = 0  # it outlives us on purpose: no warning when the object goes


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "CASEMATE_ENGINE"}


def _await(paths: EnginePaths) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(paths.supervisor_socket))
            except OSError:
                time.sleep(0.02)
            else:
                return
    raise IncompleteError(f"the supervisor did not answer within {START_LIMIT:g} s", fix=f"see {log_file(paths)}")


def _keeper_name(paths: EnginePaths) -> str:
    return f"casemate-keeper-{paths.name}"


def _keeper(paths: EnginePaths) -> list[int]:
    return _with_arguments(_keeper_name(paths))


def _supervisors(paths: EnginePaths) -> list[int]:
    return _with_arguments(_MODULE, paths.name)


def _with_arguments(*last: str) -> list[int]:
    """Process ids whose command line ends with these arguments."""
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [int(entry.name) for entry in processes if _arguments(entry)[-len(last) :] == list(last)]


def _arguments(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text(encoding="utf-8", errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []
