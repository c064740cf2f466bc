"""Starting and stopping the engine's containerd.

Rules:

1. Starting is idempotent and may be asked by several at once (command line, supervisor): a lock serialises them, and
   a containerd that runs is left alone.
2. containerd may be killed and started again while Pods run: it joins the same mount namespace, where its shims live.
3. A process counts as ours when it is inside the engine's mount namespace; a process id in a file proves nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from casemate.engine.containerd import namespace
from casemate.engine.paths import EnginePaths
from casemate.errors import IncompleteError, InputError, MissingError, RuntimeFault

START_LIMIT = 60.0
"""Seconds that containerd may take until CRI answers."""

STOP_LIMIT = 15.0
_SYSTEM_PATH = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/usr/local/go/bin",
)


def config_file(paths: EnginePaths) -> Path:
    """Where the engine's containerd reads its configuration."""
    return paths.state / "containerd.toml"


def log_file(paths: EnginePaths) -> Path:
    """What containerd and its shims say."""
    return paths.state / "containerd.log"


def binary() -> Path:
    """The containerd to run. Raises `MissingError` when there is none."""
    found = shutil.which("containerd", path=search_path())
    if found is None:
        raise MissingError("containerd is not installed", fix="casemate engine install")
    return Path(found)


def version(containerd: Path) -> tuple[int, ...]:
    """What version that containerd says it is: `(1, 6, 20)`."""
    said = subprocess.run([containerd, "--version"], capture_output=True, text=True, check=False).stdout
    return parse_version(said)


def parse_version(said: str) -> tuple[int, ...]:
    """The first dotted version in what `containerd --version` says. Raises `RuntimeFault` when there is none."""
    found = re.search(r"\bv?(\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise RuntimeFault(f"containerd does not tell its version: {said.strip()!r}")
    return tuple(int(part) for part in found.groups())


def search_path() -> str:
    """PATH with the system's own folders added, which users' PATHs often lack: runc lies in one."""
    own = os.environ.get("PATH", "").split(":")
    return ":".join(dict.fromkeys(part for part in (*own, *_SYSTEM_PATH) if part))


def start(paths: EnginePaths, config: str | None = None, limit: float = START_LIMIT) -> int:
    """Start containerd with that configuration text (None: the one it had), wait for CRI, and return its process id.

    Raises `RuntimeFault` with the end of its log when it ends at once, `IncompleteError` when `limit` seconds pass.
    """
    paths.state.mkdir(mode=0o711, parents=True, exist_ok=True)
    with _lock(paths):
        found = running(paths)
        pid = found or _launch(paths, config)
    try:
        _await(paths, pid, limit)
    except RuntimeFault:
        if found is None:
            raise
        return start(paths, config, limit)  # it was on its way out when we found it
    return pid


def running(paths: EnginePaths) -> int | None:
    """The process id of the engine's containerd, or None."""
    try:
        pid = int(_pid_file(paths).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return pid if namespace.contains(paths, pid) else None


def stop(paths: EnginePaths) -> None:
    """End containerd alone: Pods run on under their shims."""
    pid = running(paths)
    if pid is not None:
        end(pid, STOP_LIMIT)
    _pid_file(paths).unlink(missing_ok=True)


def end(pid: int, limit: float) -> None:
    """SIGTERM, then SIGKILL after `limit` seconds; returns when the process is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, seconds in ((signal.SIGTERM, limit), (signal.SIGKILL, STOP_LIMIT)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if _gone(handle, seconds):
                return
    finally:
        os.close(handle)


def cri_socket(cri: str) -> str:
    """The socket of a containerd that a user names by its path. Raises `InputError` where no CRI answers."""
    path = Path(cri.removeprefix("unix://")).absolute()
    why = answers(path) if path.is_socket() else "it is no socket" if path.exists() else "no such file"
    if why:
        raise InputError(f"no CRI at {path}: {why}", where="--cri", fix="name the socket of a running containerd")
    return str(path)


def answers(socket: Path, seconds: float = 2.0) -> str:
    """Empty when CRI on that socket is ready, else why it is not."""
    options = (("grpc.default_authority", "localhost"), ("grpc.enable_http_proxy", 0))
    with grpc.insecure_channel(f"unix://{socket}", options=options) as channel:
        # No messages needed: an empty request is a valid one, and any answer says that CRI is initialised.
        status = channel.unary_unary("/runtime.v1.RuntimeService/Status", bytes, bytes)
        try:
            status(b"", timeout=seconds)
        except grpc.RpcError as error:
            return str(error.details() if isinstance(error, grpc.Call) else error)
    return ""


def _await(paths: EnginePaths, pid: int, limit: float) -> None:
    deadline = time.monotonic() + limit
    why = "its socket is not there"
    while time.monotonic() < deadline:
        # Asked in this order: what stops being nsenter in between is inside by then.
        if not _starting(pid) and not namespace.contains(paths, pid):
            raise RuntimeFault(f"containerd ended at once: {_last_words(paths)}", where=str(log_file(paths)))
        if paths.socket.exists() and not (why := answers(paths.socket)):
            return
        time.sleep(0.02)
    raise IncompleteError(f"containerd did not answer within {limit:g} s: {why}", where=str(log_file(paths)))


def _starting(pid: int) -> bool:
    """Whether nsenter has not become containerd yet; it is outside until then."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() != "containerd" and _alive(pid)
    except OSError:
        return False


def _launch(paths: EnginePaths, config: str | None) -> int:
    _write_config(paths, config)
    namespace.create(paths)
    return _spawn(paths)


def _spawn(paths: EnginePaths) -> int:
    environment = {**os.environ, "PATH": search_path()}
    environment.pop("NOTIFY_SOCKET", None)
    paths.socket.unlink(missing_ok=True)
    with log_file(paths).open("ab") as log:
        child = subprocess.Popen(
            namespace.command(paths, str(binary()), "--config", str(config_file(paths))),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    _replace(_pid_file(paths), str(child.pid))
    child.returncode = 0  # it outlives us on purpose: no warning when the object goes
    return child.pid


def _write_config(paths: EnginePaths, config: str | None) -> None:
    if config is not None:
        _replace(config_file(paths), config)
    elif not config_file(paths).exists():
        raise MissingError(
            "the engine's containerd was not configured since the last boot", fix="casemate engine start"
        )


def _replace(file: Path, text: str) -> None:
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def _pid_file(paths: EnginePaths) -> Path:
    return paths.state / "containerd.pid"


@contextlib.contextmanager
def _lock(paths: EnginePaths) -> Iterator[None]:
    with (paths.state / "start.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _gone(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _last_words(paths: EnginePaths) -> str:
    lines = log_file(paths).read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in lines if "level=fatal" in line or "level=error" in line or "containerd:" in line]
    return " | ".join((telling or lines)[-3:])
