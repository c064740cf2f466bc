"""`casemate exec`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from typing import Annotated

from cyclopts import Parameter

from casemate.cli import terminal
from casemate.cli.logs import default_container
from casemate.cli.options import EngineName
from casemate.cli.root import require_root
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri import stream
from casemate.engine.cri.client import CriClient
from casemate.engine.find import find_pod
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.settings import load_settings
from casemate.errors import InputError, RuntimeFault


def exec_(
    pod: str,
    /,
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    container: Annotated[str, Parameter(name=["--container", "-c"])] = "",
    stdin: Annotated[bool, Parameter(name=["--stdin", "-i"], negative=())] = False,
    tty: Annotated[bool, Parameter(name=["--tty", "-t"], negative=())] = False,
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Run a command inside a container; the exit code is the command's.

    Parameters
    ----------
    pod
        The Pod's name, or NAMESPACE/NAME.
    command
        What to run; write it after --.
    container
        Which container; without it the Pod's first.
    stdin
        Give the command our standard input, to its end.
    tty
        Give the command a terminal.
    """
    if not command:
        raise InputError("no command", where="casemate exec", fix=f"casemate exec {pod} -- COMMAND")
    if tty and not (stdin and sys.stdin.isatty()):
        print("casemate: no terminal on standard input, going on without", file=sys.stderr)
        tty = False
    require_root("exec")
    return asyncio.run(_exec(EnginePaths(engine), pod, container, command, stdin=stdin, tty=tty))


async def _exec(
    paths: EnginePaths, name: str, container: str, command: tuple[str, ...], *, stdin: bool, tty: bool
) -> int:
    async with CriClient(load_settings(paths).cri_socket) as client:
        pod = await find_pod(client, name, paths)
        wanted = pod.attempts(container or default_container(pod))[0]
        if wanted.state != pb.CONTAINER_RUNNING:
            raise RuntimeFault(f"the container {wanted.metadata.name} is not running", where=str(pod))
        url = await client.exec_url(wanted.id, command, stdin=stdin, tty=tty)
    async with stream.connect(url, stdin=stdin, tty=tty) as session:
        with ExitStack() as lent:
            if tty:
                lent.enter_context(terminal.raw())
            await _converse(session, stdin=stdin, tty=tty)
        return session.exit_code


async def _converse(session: stream.Session, *, stdin: bool, tty: bool) -> None:
    chores = []
    if stdin:
        chores.append(asyncio.create_task(_send_input(session)))
    if tty:
        chores.append(asyncio.create_task(_send_sizes(session)))
    try:
        async for output in session.output():
            target = sys.stdout if output.channel is stream.Channel.STDOUT else sys.stderr
            target.buffer.write(output.data)
            target.buffer.flush()
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)


async def _send_input(session: stream.Session) -> None:
    async for chunk in terminal.typed():
        await session.send(chunk)
    await session.end_stdin()


async def _send_sizes(session: stream.Session) -> None:
    async for columns, rows in terminal.sizes():
        await session.resize(columns, rows)
