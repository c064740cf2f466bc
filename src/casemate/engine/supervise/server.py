"""The supervisor's end of the socket."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec

from casemate.engine.supervise.messages import REQUEST, Answer, Down, Keep, Refusal, Snapshot, State, line
from casemate.engine.supervise.run import Run
from casemate.errors import CasemateError


class Keeper(Protocol):
    """What the server asks for runs."""

    runs: dict[str, Run]

    def keep(self, name: str) -> Run:
        """Keep the run of that name; the one already kept, if it is."""


class Server:
    """Answers requests; every client that watches is told of every change."""

    def __init__(self, supervisor: Keeper) -> None:
        self._supervisor = supervisor
        self._watchers: set[asyncio.Event] = set()

    @contextlib.asynccontextmanager
    async def listening(self, socket: Path) -> AsyncIterator[None]:
        """Listen on the socket, which only root can open, while the context lasts."""
        temporary = socket.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, temporary)
        temporary.chmod(0o600)
        temporary.replace(socket)
        try:
            yield
        finally:
            server.close()

    def tell_watchers(self) -> None:
        """Something changed."""
        for event in self._watchers:
            event.set()

    @staticmethod
    def log(message: str) -> None:
        """A line for the supervisor's log."""
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - standard error is the log file

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            async for answer in self._answers(await reader.readline()):
                writer.write(line(answer))
                await writer.drain()
        writer.close()

    async def _answers(self, text: bytes) -> AsyncIterator[Answer]:
        try:
            request = REQUEST.decode(text)
            match request:
                case Snapshot():
                    for run in list(self._supervisor.runs.values()):
                        yield State(run.status)
                    return
                case Keep():
                    watched = self._supervisor.keep(request.run)
                case Down():
                    watched = self._supervisor.keep(request.run)
                    watched.remove()
        except (CasemateError, msgspec.DecodeError) as error:
            yield Refusal(str(error))
            return
        async for answer in self._follow(watched):
            yield answer

    async def _follow(self, run: Run) -> AsyncIterator[Answer]:
        event = asyncio.Event()
        self._watchers.add(event)
        last = None
        try:
            while True:
                event.clear()
                status = run.status
                if status != last:
                    last = status
                    yield State(status)
                if status.removed and run.record.name not in self._supervisor.runs:
                    return
                await event.wait()
        finally:
            self._watchers.discard(event)
