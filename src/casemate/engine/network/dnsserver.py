"""The DNS server of an engine, on UDP and TCP sockets inside the router's namespace.

1. Names of the engine are answered from the zone at hand; a new zone is one assignment.
2. Everything else is asked of the name servers that the host itself uses, from the host's own namespace, so that a
   resolver on 127.0.0.53 works too. The first that answers counts; when none does, SERVFAIL.
3. Whatever arrives is a stranger's: what our DNS library stumbles over gives SERVFAIL, never a fault of this process.
4. Whatever arrives is bounded: questions under way, connections, idle time. Malformed packets get FORMERR; packets too
   short to be answered, and responses, get nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import dns.asyncquery
import dns.entropy
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode

from casemate.engine.network.dns import answer, continuation, failure
from casemate.engine.network.namespace import inside
from casemate.engine.network.upstream import nameservers
from casemate.engine.network.zone import Zone
from casemate.errors import RuntimeFault

_PORT = 53
_HEADER = 12
_UNDER_WAY = 256
_CONNECTIONS = 64
_IDLE_SECONDS = 10.0
_UPSTREAM_SECONDS = 2.0


class DnsServer:
    """Serves `zone` on `address` inside `namespace`; `zone` may be replaced at any time."""

    def __init__(
        self, namespace: Path, address: IPv4Address, upstream: Callable[[], Sequence[IPv4Address]] = nameservers
    ) -> None:
        self.zone = Zone()
        self._namespace = namespace
        self._address = address
        self._upstream = upstream
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the sockets. Raises `RuntimeFault` when another server holds the address."""
        datagrams, stream = await asyncio.to_thread(inside, self._namespace, self._bind)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagrams)
        self._server = await asyncio.start_server(self._connected, sock=stream)

    async def stop(self) -> None:
        """Close the sockets and forget the questions under way."""
        if self._transport:
            self._transport.close()
        if self._server:
            self._server.close()
        under_way = (*self._tasks, *self._connections)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def received(self, wire: bytes, reply: Callable[[bytes], None]) -> None:
        """Answer a datagram, at once or when upstream has."""
        query = _parse(wire)
        if isinstance(query, bytes):
            reply(query)
        elif query is not None:
            self._answer_datagram(query, reply)

    def _bind(self) -> tuple[socket.socket, socket.socket]:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for each in (datagrams, stream):
                each.setblocking(False)
                each.bind((str(self._address), _PORT))
        except OSError as error:
            datagrams.close()
            stream.close()
            raise RuntimeFault(f"DNS cannot be served: {error.strerror}", where=f"{self._address}:53") from None
        return datagrams, stream

    def _answer_datagram(self, query: dns.message.Message, reply: Callable[[bytes], None]) -> None:
        response = self._known(query)
        if response is not None:
            reply(_packed(response, query))
        elif len(self._tasks) >= _UNDER_WAY:
            reply(_packed(failure(query), query))
        else:
            task = asyncio.create_task(self._answer_later(query, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, query: dns.message.Message, reply: Callable[[bytes], None]) -> None:
        reply(_packed(await self._complete(query, stream=False), query))

    def _known(self, query: dns.message.Message) -> dns.message.Message | None:
        """The whole response, if it needs nothing from upstream."""
        try:
            response = answer(query, self.zone)
        except Exception:  # noqa: BLE001 - see rule 3
            return failure(query)
        return None if response is None or continuation(response, self.zone) else response

    async def _complete(self, query: dns.message.Message, *, stream: bool) -> dns.message.Message:
        """The whole response, with what upstream knows."""
        try:
            return await self._look_up(query, stream=stream)
        except Exception:  # noqa: BLE001 - see rule 3
            return failure(query)

    async def _look_up(self, query: dns.message.Message, *, stream: bool) -> dns.message.Message:
        response = answer(query, self.zone)
        if response is None:
            return await self._ask(query, stream=stream)
        rest = continuation(response, self.zone)
        if rest is not None:
            question = dns.message.make_query(rest, query.question[0].rdtype)
            found = await self._ask(question, stream=True)
            response.answer.extend(found.answer)
            response.set_rcode(found.rcode())
        return response

    async def _ask(self, query: dns.message.Message, *, stream: bool) -> dns.message.Message:
        ask = dns.asyncquery.tcp if stream else dns.asyncquery.udp
        question = dns.message.from_wire(query.to_wire())
        question.id = dns.entropy.random_16()  # ours, so that no client can guess it
        for server in self._upstream():
            with suppress(dns.exception.DNSException, OSError, EOFError):
                response = await ask(question, str(server), timeout=_UPSTREAM_SECONDS)
                response.id = query.id
                return response
        return failure(query)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            # Only stop() cancels; asyncio's streams would report a cancelled handler as a fault of the loop.
            with suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):
                while await self._answer_stream(reader, writer):
                    pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(_IDLE_SECONDS):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            query = _parse(await reader.readexactly(length))
            if query is None:
                return False
            reply = query if isinstance(query, bytes) else _wire(await self._complete(query, stream=True), query)
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()
        return True


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.received(data, lambda reply: self._send(reply, addr))

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(reply, addr)


def _parse(wire: bytes) -> dns.message.Message | bytes | None:
    """The query; a ready FORMERR when it is malformed; None when it deserves no answer."""
    if len(wire) < _HEADER or wire[2] & 0x80:
        return None
    try:
        return dns.message.from_wire(wire)
    except Exception:  # noqa: BLE001 - see rule 3
        return wire[:2] + b"\x80\x01" + bytes(8)


def _packed(response: dns.message.Message, query: dns.message.Message) -> bytes:
    """The datagram, cut with the TC flag where the client takes no more."""
    return _wire(response, query, max(query.payload, 512))


def _wire(response: dns.message.Message, query: dns.message.Message, longest: int = 65535) -> bytes:
    try:
        return response.to_wire(max_size=longest, prefer_truncation=True)
    except Exception:  # noqa: BLE001 - see rule 3
        return failure(query).to_wire()
