"""`casemate logs`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from casemate.cli.options import EngineName
from casemate.cli.root import require_root
from casemate.engine import logs as container_logs
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import NotFound
from casemate.engine.find import FoundPod, find_pod
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.settings import load_settings
from casemate.errors import InputError

_ALIVE = (pb.CONTAINER_CREATED, pb.CONTAINER_RUNNING)


def logs(
    pod: str,
    /,
    *,
    container: Annotated[str, Parameter(name=["--container", "-c"])] = "",
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    previous: Annotated[bool, Parameter(name=["--previous", "-p"], negative=())] = False,
    tail: int | None = None,
    timestamps: Annotated[bool, Parameter(negative=())] = False,
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Print what a container wrote.

    Parameters
    ----------
    pod
        The Pod's name, or NAMESPACE/NAME.
    container
        Which container; without it the Pod's first.
    follow
        Go on until the container ends.
    previous
        The container before its last restart.
    tail
        Only so many lines from the end.
    timestamps
        Put the time before each line.
    """
    if tail is not None and tail < 0:
        raise InputError(f"{tail} is less than zero", where="--tail")
    paths = EnginePaths(engine)
    require_root("logs")
    return asyncio.run(_print(paths, pod, container, tail, follow=follow, previous=previous, timestamps=timestamps))


async def _print(
    paths: EnginePaths, name: str, container: str, tail: int | None, *, follow: bool, previous: bool, timestamps: bool
) -> int:
    async with CriClient(load_settings(paths).cri_socket) as client:
        pod = await find_pod(client, name, paths)
        chosen = container or default_container(pod)
        wanted = pod.attempts(chosen)[0]
        path = await _log_path(client, wanted.id, previous=previous)

        async def running() -> bool:
            try:
                return (await client.container_status(wanted.id)).state in _ALIVE
            except NotFound:
                return False

        line_begins = True
        async for entry in container_logs.read(path, tail=tail, running=running if follow and not previous else None):
            sys.stdout.buffer.write(entry.render(timestamp=timestamps and line_begins))
            sys.stdout.buffer.flush()
            line_begins = entry.whole
    return 0


async def _log_path(client: CriClient, container: str, *, previous: bool) -> Path:
    status = await client.container_status(container)
    path = Path(status.log_path)
    if not previous:
        return path
    before = path.with_name(f"{int(path.stem) - 1}.log") if path.stem.isdecimal() else path
    if not before.is_file():
        raise InputError("the container was not restarted", where=status.metadata.name, fix="leave --previous out")
    return before


def default_container(pod: FoundPod) -> str:
    """The container that is meant when none is named; says which on stderr when there are several."""
    if not pod.names:
        raise InputError("the Pod has no container yet", where=str(pod), fix="casemate ps shows the Pod's state")
    if len(pod.names) > 1:
        print(f"casemate: container {pod.names[0]} of: {', '.join(pod.names)}", file=sys.stderr)
    return pod.names[0]
