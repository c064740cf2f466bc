"""Commands inside containers with live streams: what stands behind `exec` and `attach`.

1. The address comes from `CriClient.exec_url` or `attach_url`; it is good once, and whoever has it may use it.
2. One SPDY stream each for error, stdin, stdout, stderr, resize; the server waits until all that it expects are open:
   error and stdout always, stdin when asked for, stderr without a terminal, resize with one.
3. The end of stdin is told to the command; the command goes on.
4. The exit code comes on the error stream as a Status of the Kubernetes API, after all output.
5. containerd never tells the exit code of a command that ended without reading its stdin, when more is left than a
   pipe holds (ExecIO.Attach blocks on the FIFO that its shim keeps open). Ten seconds after the end of all output we
   stop waiting and say so.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from casemate.engine.cri import spdy
from casemate.engine.cri.faults import EngineUnreachable
from casemate.errors import IncompleteError, RuntimeFault

CONNECT_SECONDS = 30.0
STATUS_SECONDS = 10.0
_CHUNK = 1 << 20
_WRAPPING = re.compile(
    r"^(Internal error occurred: |error executing command in container: |failed to exec in container: "
    r'|failed to start exec "[0-9a-f]+": )+'
)


class Channel(StrEnum):
    """The streams of a command, by the names that the protocol gives them."""

    ERROR = "error"
    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"
    RESIZE = "resize"


@dataclass(frozen=True)
class Output:
    """Bytes that the command wrote to stdout or stderr."""

    channel: Channel
    data: bytes


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] = ()


class _Status(msgspec.Struct, frozen=True):
    status: str
    message: str = ""
    reason: str = ""
    details: _Details | None = None


def exit_code(status: bytes) -> int:
    """The command's exit code as the error stream tells it. Raises `RuntimeFault` when it never ran."""
    try:
        said = msgspec.json.decode(status, type=_Status)
    except msgspec.DecodeError:
        raise RuntimeFault(status.decode(errors="replace"), where="exec") from None
    if said.status == "Success":
        return 0
    if said.reason == "NonZeroExitCode" and said.details:
        return next(int(cause.message) for cause in said.details.causes if cause.reason == "ExitCode")
    raise RuntimeFault(_WRAPPING.sub("", said.message), where="exec")


def channels(*, stdin: bool, tty: bool) -> tuple[Channel, ...]:
    """The streams that a server expects, in the order in which a kubelet opens them."""
    opened = [Channel.ERROR]
    if stdin:
        opened.append(Channel.STDIN)
    opened += [Channel.STDOUT, Channel.RESIZE if tty else Channel.STDERR]
    return tuple(opened)


class Session:
    """A running command. Iterate over `output()` to its end, then ask for `exit_code`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: tuple[Channel, ...]) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = {channel: 2 * place + 1 for place, channel in enumerate(opened)}
        self._channels = {number: channel for channel, number in self._numbers.items()}
        self._status = b""

    async def _open(self) -> None:
        block = spdy.HeaderBlock()
        for channel, number in self._numbers.items():
            self._writer.write(spdy.open_stream(number, block.encode({"streamtype": channel})))
        with suppress(ConnectionError):  # as in _say
            await self._writer.drain()

    async def _say(self, channel: Channel, payload: bytes, *, last: bool = False) -> None:
        with suppress(ConnectionError):  # the command is gone; output() tells how it ended
            self._writer.write(spdy.data(self._numbers[channel], payload, last=last))
            await self._writer.drain()

    async def send(self, payload: bytes) -> None:
        """Give the command bytes on stdin; waits while it does not read."""
        for start in range(0, len(payload), _CHUNK):
            await self._say(Channel.STDIN, payload[start : start + _CHUNK])

    async def end_stdin(self) -> None:
        """Let the command see the end of its stdin."""
        await self._say(Channel.STDIN, b"", last=True)

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the command's terminal its size."""
        await self._say(Channel.RESIZE, msgspec.json.encode({"Width": columns, "Height": rows}))

    async def output(self) -> AsyncIterator[Output]:
        """What the command writes, as it comes, until it has ended."""
        speaking = set(self._numbers.values()) - {self._numbers.get(Channel.STDIN), self._numbers.get(Channel.RESIZE)}
        while speaking:
            frame = await self._next_frame(only_status=speaking == {self._numbers[Channel.ERROR]})
            match frame:
                case None | spdy.GoAway():
                    return
                case spdy.Data(number, payload, last):
                    speaking -= {number} if last else set()
                    if self._channels.get(number) is Channel.ERROR:
                        self._status += payload
                    elif payload and number in self._channels:
                        yield Output(self._channels[number], payload)
                case spdy.End(number):
                    speaking.discard(number)
                case spdy.Ping():
                    self._writer.write(spdy.pong(frame))

    async def _next_frame(self, *, only_status: bool) -> spdy.Frame | None:
        patience = STATUS_SECONDS if only_status and Channel.STDIN in self._numbers else None
        try:
            return await asyncio.wait_for(spdy.read_frame(self._reader), patience)
        except TimeoutError:
            raise IncompleteError(
                "the command's output ended, but the engine does not say how the command did",
                where="exec",
                fix="containerd does not when a command leaves its input unread: give it less input",
            ) from None
        except (asyncio.IncompleteReadError, OSError):
            return None

    @property
    def exit_code(self) -> int:
        """How the command ended. Raises `RuntimeFault` when it could not be started or the connection was lost."""
        if not self._status:
            raise RuntimeFault("the connection was lost before the command ended", where="exec")
        return exit_code(self._status)

    async def _close(self) -> None:
        with suppress(OSError):
            self._writer.write(spdy.go_away())
            self._writer.close()
            await self._writer.wait_closed()


@asynccontextmanager
async def connect(url: str, *, stdin: bool, tty: bool) -> AsyncIterator[Session]:
    """The command behind `url`, with `stdin` and `tty` as they were when the address was asked for."""
    try:
        reader, writer = await asyncio.wait_for(_upgrade(url), CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise EngineUnreachable(f"the engine's streaming server does not answer: {error}", where=url) from None
    session = Session(reader, writer, channels(stdin=stdin, tty=tty))
    try:
        await session._open()
        yield session
    finally:
        await session._close()


async def _upgrade(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(url)
    secure = ssl.create_default_context() if place.scheme == "https" else None
    port = place.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(place.hostname, port, ssl=secure)
    head = (
        f"POST {place.path}?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 0\r\n"
        "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
    )
    writer.write(head.encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    if not answer.startswith("HTTP/1.1 101"):
        writer.close()
        raise RuntimeFault(f"the engine's streaming server refuses: {answer.splitlines()[0]}", where=url)
    return reader, writer
