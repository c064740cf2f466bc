"""The part of SPDY/3.1 that CRI's streaming servers speak.

Why SPDY and not WebSocket: the WebSocket subprotocol of CRI servers (v4.channel.k8s.io) cannot end stdin without
ending the connection, so `echo x | exec -i … cat` would never finish. Its successor v5 can, but only the API server
speaks it; containerd 1.6 to 2.4 and CRI-O do not. SPDY, which kubelets use, ends each stream by itself everywhere.

1. A frame is 8 bytes of head and a payload; the first bit tells control frames from data.
2. The client opens odd streams; a stream's headers are one zlib stream per connection. We never read headers, so we
   need no decompressor, and no preset dictionary either: zlib allows to leave it out.
3. There is no flow control: Go's spdystream has none, TCP's is enough for one command.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

_VERSION = 0x8003
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 1


@dataclass(frozen=True)
class Data:
    """Bytes of a stream; `last` ends the sender's half of it."""

    stream: int
    payload: bytes
    last: bool


@dataclass(frozen=True)
class End:
    """The sender will say nothing more on this stream."""

    stream: int


@dataclass(frozen=True)
class Ping:
    """Wants the same number back."""

    number: int


@dataclass(frozen=True)
class GoAway:
    """The sender ends the connection."""


@dataclass(frozen=True)
class Other:
    """A frame that needs no answer."""

    kind: int


Frame = Data | End | Ping | GoAway | Other


class HeaderBlock:
    """Compresses streams' headers; the frames must be sent in the order in which this was asked."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj()

    def encode(self, headers: Mapping[str, str]) -> bytes:
        """The headers of one stream. Names must be lower case."""
        text = struct.pack("!I", len(headers))
        for name, value in headers.items():
            text += _string(name) + _string(value)
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _string(text: str) -> bytes:
    return struct.pack("!I", len(text.encode())) + text.encode()


def open_stream(stream: int, headers: bytes) -> bytes:
    """The frame that opens `stream`, with headers from `HeaderBlock`."""
    return _control(_SYN_STREAM, struct.pack("!IIBB", stream, 0, 0, 0) + headers)


def data(stream: int, payload: bytes, *, last: bool = False) -> bytes:
    """The frame that says `payload` (shorter than 16 MiB) on `stream`."""
    return struct.pack("!II", stream, (_FIN if last else 0) << 24 | len(payload)) + payload


def pong(ping: Ping) -> bytes:
    """The answer to a ping."""
    return _control(_PING, struct.pack("!I", ping.number))


def go_away() -> bytes:
    """The frame that ends the connection in peace."""
    return _control(_GOAWAY, struct.pack("!II", 0, 0))


def _control(kind: int, payload: bytes) -> bytes:
    return struct.pack("!HHI", _VERSION, kind, len(payload)) + payload


def parse(head: bytes, payload: bytes) -> Frame:
    """The frame with this head (8 bytes) and payload."""
    first, flags = struct.unpack("!IB", head[:5])
    last = bool(flags & _FIN)
    if not first & 0x80000000:
        return Data(first, payload, last)
    kind = first & 0xFFFF
    number = struct.unpack("!I", payload[:4])[0] & 0x7FFFFFFF if len(payload) >= 4 else 0
    match kind:
        case _ if kind == _RST_STREAM or (kind == _SYN_REPLY and last):
            return End(number)
        case _ if kind == _PING:
            return Ping(number)
        case _ if kind == _GOAWAY:
            return GoAway()
    return Other(kind)


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises asyncio.IncompleteReadError or OSError when the connection ends."""
    head = await reader.readexactly(8)
    return parse(head, await reader.readexactly(int.from_bytes(head[5:8], "big")))
