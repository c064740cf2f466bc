import asyncio
from collections.abc import Awaitable, Callable

import pytest

from casemate.engine.cri import spdy, stream
from casemate.engine.cri.faults import EngineUnreachable
from casemate.errors import RuntimeFault

SUCCESS = b'{"metadata":{},"status":"Success"}'
CODE_42 = (
    b'{"metadata":{},"status":"Failure","message":"exit code 42","reason":"NonZeroExitCode",'
    b'"details":{"causes":[{"reason":"ExitCode","message":"42"}]}}'
)
NEVER_RAN = (
    b'{"status":"Failure","message":"Internal error occurred: error executing command in container: failed to exec in '
    b'container: failed to start exec \\"0a1f\\": OCI runtime exec failed: no such file","reason":"InternalError"}'
)


@pytest.mark.parametrize(("status", "code"), [(SUCCESS, 0), (CODE_42, 42)])
def test_the_exit_code_is_in_the_status(status: bytes, code: int) -> None:
    assert stream.exit_code(status) == code


@pytest.mark.parametrize(
    ("status", "said"),
    [(NEVER_RAN, "^exec: OCI runtime exec failed: no such file$"), (b"plain text", "plain text"), (b"{}", "{}")],
)
def test_a_command_that_never_ran_is_a_fault(status: bytes, said: str) -> None:
    with pytest.raises(RuntimeFault, match=said):
        stream.exit_code(status)


@pytest.mark.parametrize(
    ("stdin", "tty", "opened"),
    [
        (False, False, "error stdout stderr"),
        (True, False, "error stdin stdout stderr"),
        (True, True, "error stdin stdout resize"),
        (False, True, "error stdout resize"),
    ],
)
def test_the_streams_are_those_that_the_server_waits_for(stdin: bool, tty: bool, opened: str) -> None:
    assert " ".join(stream.channels(stdin=stdin, tty=tty)) == opened


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n"


async def converse(answer: Answer, reply: bytes = UPGRADED) -> tuple[list[stream.Output], int]:
    """What a client makes of a server that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        if reply == UPGRADED:
            await reader.read(1000)  # the client opens its streams
        await answer(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with stream.connect(f"http://127.0.0.1:{port}/exec/x", stdin=False, tty=False) as session:
            return [output async for output in session.output()], session.exit_code


def test_output_and_exit_code_come_apart_by_their_streams() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = [
            spdy.data(3, b"out"),
            spdy.data(5, b"err"),
            spdy.data(99, b"?"),
            spdy.data(1, CODE_42),
            spdy.go_away(),
        ]
        writer.write(b"".join(frames))

    said, code = asyncio.run(converse(answer))
    assert said == [stream.Output(stream.Channel.STDOUT, b"out"), stream.Output(stream.Channel.STDERR, b"err")]
    assert code == 42


def test_a_ping_in_between_is_answered() -> None:
    seen = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("80030006 00000004 00000002"))
        while b"\x80\x03\x00\x06" not in seen:
            seen.extend(await reader.read(1000))
        writer.write(spdy.data(1, SUCCESS, last=True) + spdy.data(3, b"", last=True) + spdy.data(5, b"", last=True))

    assert asyncio.run(converse(answer)) == ([], 0)


def test_a_connection_cut_before_the_status_is_a_fault() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(spdy.data(3, b"half")[:-1])

    with pytest.raises(RuntimeFault, match="lost before the command ended"):
        asyncio.run(converse(answer))


async def nothing(*_: object) -> None:
    pass


@pytest.mark.parametrize("reply", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_does_not_upgrade_is_a_fault(reply: bytes) -> None:
    with pytest.raises(RuntimeFault, match="refuses"):
        asyncio.run(converse(nothing, reply))


def test_a_server_that_hangs_up_is_unreachable() -> None:
    with pytest.raises(EngineUnreachable):
        asyncio.run(converse(nothing, b""))
