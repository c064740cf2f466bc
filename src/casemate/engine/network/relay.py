"""Carries TCP connections and UDP datagrams from a port of the host to a Pod or Service.

1. A relay listens as long as it is wanted and leads where the last `apply` said; connections that are open stay with
   the target that they began with.
2. A port that cannot be had is reported, not raised: the others are served. It is tried again at the next `apply`.
3. A half-closed connection stays half-open. A UDP client keeps its way back for a minute after its last datagram.
   Clients that would take more than half of the files that this process may open are turned away.
4. The server sees the host's address, not the client's.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import cast

from casemate.engine.network.hostports import Forward, Listen

_CHUNK = 65536
_CONNECT_SECONDS = 10.0
_UDP_SECONDS = 60.0
_Address = tuple[str, int]


class Quota:
    """How many clients there may be on all ports together."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self) -> bool:
        """Whether one more may come."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """One has left."""
        self._left += 1


class Relays:
    """Every port of the host that leads to a Pod or Service of one engine."""

    def __init__(self) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._quota = Quota(files // 4)  # a TCP client takes two files
        self._relays: dict[Listen, TcpRelay | UdpRelay] = {}
        self._owners: dict[Listen, str] = {}

    async def apply(self, forwards: Iterable[Forward]) -> tuple[str, ...]:
        """Serve exactly `forwards` that have a target; says which could not be had and why.

        Of two that want one port, who has it keeps it; else the first gets it.
        """
        wanted: dict[Listen, Forward] = {}
        faults: list[str] = []
        for forward in sorted(forwards, key=lambda each: self._owners.get(each.listen) != each.owner):
            other = wanted.setdefault(forward.listen, forward)
            if other != forward:
                faults.append(f"{forward.owner}: {forward.listen} is also that of {other.owner}")
        wanted = {listen: forward for listen, forward in wanted.items() if forward.address}
        self._owners = {listen: forward.owner for listen, forward in wanted.items()}
        for listen in self._relays.keys() - wanted.keys():
            await self._relays.pop(listen).close()
        for listen, forward in wanted.items():
            fault = await self._serve(listen, forward)
            if fault:
                faults.append(fault)
        return tuple(faults)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        await self.apply(())

    async def _serve(self, listen: Listen, forward: Forward) -> str:
        target = (forward.address, forward.port)
        if listen in self._relays:
            self._relays[listen].target = target
            return ""
        if listen.protocol not in ("TCP", "UDP"):
            return f"{forward.owner}: {listen}: only TCP and UDP are forwarded"
        relay = TcpRelay(target, self._quota) if listen.protocol == "TCP" else UdpRelay(target, self._quota)
        try:
            await relay.listen(listen)
        except OSError as error:
            return f"{forward.owner}: {listen}: {error.strerror or error}"
        self._relays[listen] = relay
        return ""


class TcpRelay:
    """One listening port for TCP."""

    def __init__(self, target: _Address, quota: Quota) -> None:
        self.target = target
        self._quota = quota
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, where: Listen) -> None:
        """Begin to accept. Raises OSError when the port cannot be had."""
        self._server = await asyncio.start_server(self._accepted, where.address, where.port, family=socket.AF_INET)

    async def close(self) -> None:
        """Stop to accept and end what is open."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._quota.take():
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            # Only close() cancels; asyncio's streams would report a cancelled handler as a fault of the loop.
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            self._tasks.discard(task)
            self._quota.give_back()
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            await writer.drain()
        finally:
            far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


class UdpRelay(asyncio.DatagramProtocol):
    """One listening port for UDP, with a socket of its own per client."""

    def __init__(self, target: _Address, quota: Quota) -> None:
        self.target = target
        self._quota = quota
        self._transport: asyncio.DatagramTransport | None = None
        self._clients: dict[_Address, _UdpClient] = {}

    async def listen(self, where: Listen) -> None:
        """Begin to receive. Raises OSError when the port cannot be had."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(where.address, where.port))

    async def close(self) -> None:
        """Stop to receive and forget all clients."""
        if self._transport:
            self._transport.close()
        for client in list(self._clients.values()):
            client.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call when the socket is bound."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: _Address) -> None:
        """asyncio's call for each datagram; those of clients past the limit are dropped."""
        client = self._clients.get(addr)
        if client is None:
            if not self._quota.take():
                return
            client = self._clients[addr] = _UdpClient(self, addr)
        client.send(data, self.target)

    def reply(self, data: bytes, client: _Address) -> None:
        """Hand a datagram of the target back to `client`."""
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(data, client)

    def forget(self, client: _Address) -> None:
        """Drop the way back to `client`."""
        if self._clients.pop(client, None):
            self._quota.give_back()


class _UdpClient(asyncio.DatagramProtocol):
    """The way of one client to the target and back."""

    def __init__(self, relay: UdpRelay, address: _Address) -> None:
        self._relay = relay
        self._address = address
        self._target: _Address | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] = []
        self._opening: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    def send(self, data: bytes, target: _Address) -> None:
        """Send to `target`; the first datagrams wait until the socket is open."""
        self._live_on()
        if self._transport and self._target == target:
            self._transport.sendto(data)
            return
        self._waiting.append(data)
        if self._opening is None or self._target != target:
            self._target = target
            self._opening = asyncio.create_task(self._open(target))

    def close(self) -> None:
        """Close the socket and leave the relay."""
        for each in (self._opening, self._expiry):
            if each:
                each.cancel()
        if self._transport:
            self._transport.close()
        self._relay.forget(self._address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: _Address) -> None:  # noqa: ARG002 - asyncio's signature
        self._live_on()
        self._relay.reply(data, self._address)

    async def _open(self, target: _Address) -> None:
        loop = asyncio.get_running_loop()
        if self._transport:
            self._transport.close()
            self._transport = None
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=target)
        except OSError:
            self.close()  # as lost as any datagram to nowhere
            return
        for data in self._waiting:
            self._transport.sendto(data)
        self._waiting.clear()

    def _live_on(self) -> None:
        if self._expiry:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(_UDP_SECONDS, self.close)
