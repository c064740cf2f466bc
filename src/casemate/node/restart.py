"""Restart a runtime so that a killed casemate leaves it running.

Rules:

1. systemd restarts its units itself; a command or a process by hand is restarted by a child of its own session, which
   goes on when casemate is killed: it ends the old process and becomes the new one.
2. A process by hand starts again as it was: program, arguments, environment, folder, output, and mount namespace.
3. Pods outlive a restart: their shims are no part of the runtime's process. The old process gets SIGTERM, and SIGKILL
   after 30 s: a runtime that hangs must not keep the node down.
4. A restart that a killed casemate began goes on alone. Whoever comes next waits for its end: two at once would start
   the runtime twice.
5. After it, CRI answers Version and Status with RuntimeReady, in 60 s or not at all.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from casemate.engine.cri.born import handler_of
from casemate.engine.cri.client import CriClient
from casemate.errors import CasemateError, IncompleteError, RuntimeFault
from casemate.model.node_plan import Restart
from casemate.node import daemon, process

HEALTH_SECONDS = 60.0
_COMMAND_SECONDS = 180
_STOP_SECONDS = 30
# $1 the old process, then the new one's command. A process that is no child of ours is waited for by asking; one that
# nobody reaped (Z) has ended.
_REPLACE = """old=$1; shift; n=0
runs() { case "$(cat /proc/"$old"/stat 2>/dev/null)" in ''|*') Z '*|*') X '*) return 1;; esac; }
kill -TERM "$old" 2>/dev/null
while runs; do
  n=$((n+1)); [ "$n" -eq TICKS ] && kill -KILL "$old"; sleep 0.05
done
exec "$@"
"""


def restart(how: Restart, socket: str) -> None:
    """Restart the runtime that serves `socket`. Raises `RuntimeFault` when that fails."""
    match how.how:
        case "none":
            return
        case "systemd":
            _run(["systemctl", "restart", how.unit], f"systemctl restart {how.unit}")
        case "command":
            _run(["/bin/sh", "-c", how.command], how.command)
        case "process":
            _by_hand(how, daemon.listener(socket))


def await_begun(how: Restart, socket: str) -> None:
    """Wait for the end of a restart by hand that nobody watches any more (rule 4), for as long as one may take."""
    deadline = time.monotonic() + _STOP_SECONDS + HEALTH_SECONDS
    while how.how == "process" and _has_begun(how, socket) and time.monotonic() < deadline:
        time.sleep(0.05)


def _has_begun(how: Restart, socket: str) -> bool:
    """Whether a process is about to be the runtime: its command line ends in the runtime's, and it does not serve."""
    ending = (how.program, *how.arguments[1:])
    found = {pid for pid in process.pids() if process.arguments(pid)[-len(ending) :] == ending}
    return bool(found - {daemon.listener(socket)})


def await_health(socket: str, wanted: Callable[[int], bool] = bool, seconds: float = HEALTH_SECONDS) -> None:
    """Wait until the runtime is ready in a process that is `wanted`. Raises `IncompleteError` after `seconds`."""
    deadline, why = time.monotonic() + seconds, "nobody listens"
    while time.monotonic() < deadline:
        pid = daemon.listener(socket)
        if wanted(pid):
            why = asyncio.run(_unready(socket))
            if not why:
                return
        time.sleep(0.05)
    raise IncompleteError(f"the runtime was not ready within {seconds:g} s: {why}", where=socket)


def containers(socket: str) -> set[str]:
    """Ids of the containers that run now."""
    return asyncio.run(_running(socket))


def pods_under(socket: str, handlers: set[str]) -> set[str]:
    """Names of the Pods whose sandboxes run under these handlers, or of which nobody tells the handler."""
    return asyncio.run(_pods(socket, handlers))


async def _pods(socket: str, handlers: set[str]) -> set[str]:
    async with CriClient(socket) as client:
        found = [each for each in await client.pod_sandboxes() if each.state == 0]
        using = [each for each in found if await handler_of(client, each) in (*handlers, None)]
    return {f"{each.metadata.namespace}/{each.metadata.name}" for each in using}


async def _unready(socket: str) -> str:
    """Empty when CRI says that the runtime is ready, else why it is not."""
    try:
        async with CriClient(socket) as client:
            await client.version(timeout=5)
            conditions = {each.type: each for each in (await client.status()).status.conditions}
    except CasemateError as error:
        return error.what
    ready = conditions.get("RuntimeReady")
    if ready is None or not ready.status:
        return ready.message if ready else "it does not say whether it is ready"
    return ""


async def _running(socket: str) -> set[str]:
    async with CriClient(socket) as client:
        return {each.id for each in await client.containers() if each.state == 1}


def _run(command: list[str], shown: str) -> None:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        try:
            _, said = child.communicate(timeout=_COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise RuntimeFault(f"`{shown}` did not end within {_COMMAND_SECONDS} s") from None
    if child.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeFault(f"`{shown}` ended with {child.returncode}: {' '.join(last)}")


def _by_hand(how: Restart, pid: int) -> None:
    """End the old process and start the new one in its place (rules 1 and 2)."""
    command = [how.program, *how.arguments[1:]]
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY) if pid else -1
    inside = f"/proc/self/fd/{namespace}"
    if pid and os.fstat(namespace).st_ino != Path("/proc/self/ns/mnt").stat().st_ino:
        command = ["nsenter", f"--mount={inside}", f"--wd={how.folder}", "--", *command]
    script = _REPLACE.replace("TICKS", str(_STOP_SECONDS * 20))
    try:
        with Path(how.output).open("ab") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", script, "casemate-restart", str(pid or 1 << 22), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=how.folder,
                env=how.environment,
                pass_fds=[namespace] if pid else [],
                start_new_session=True,
            )
            child.returncode = 0  # it outlives us on purpose: no warning when the object goes
    finally:
        if namespace >= 0:
            os.close(namespace)
