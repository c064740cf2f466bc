"""Ends what the kernel remembers of UDP conversations with endpoints that are gone.

A UDP client that goes on sending from one port would be led to its old endpoint for ever, because every datagram renews
the entry. TCP needs no help: its connections end. Speaks ctnetlink (linux/netfilter/nfnetlink_conntrack.h), since no
tool for it is certain to be installed.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

_NETLINK_NETFILTER = 12
_CTNETLINK = 1 << 8
_GET, _DELETE = _CTNETLINK | 1, _CTNETLINK | 2
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_TYPE_BITS = 0x3FFF
_ORIGINAL, _REPLY = 1, 2
_IP, _PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_HEADER = struct.Struct("=IHHII")
_BUFFER = 1 << 16


class Flow(NamedTuple):
    """Where clients send to (`address`:`port`), and the endpoint that it leads to."""

    address: str
    port: int
    endpoint: str
    endpoint_port: int


@dataclass(frozen=True)
class _Entry:
    flow: Flow
    original: bytes


def forget_udp(addresses: Collection[str], living: Collection[Flow]) -> None:
    """Drop UDP entries of the current network namespace to `addresses` that are not `living`.

    Raises OSError where the kernel has no ctnetlink.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.bind((0, 0))
        stale = [each for each in _entries(kernel) if each.flow.address in addresses and each.flow not in living]
        for entry in stale:
            _delete(kernel, entry)


def _entries(kernel: socket.socket) -> Iterator[_Entry]:
    kernel.send(_message(_GET, _REQUEST | _DUMP, b""))
    while True:
        for kind, body in _messages(kernel.recv(_BUFFER)):
            if kind == _DONE:
                return
            if kind == _ERROR:
                _raise(body)
            entry = _entry(body)
            if entry is not None:
                yield entry


def _delete(kernel: socket.socket, entry: _Entry) -> None:
    kernel.send(_message(_DELETE, _REQUEST | _ACK, _attribute(_ORIGINAL | _NESTED, entry.original)))
    kernel.recv(_BUFFER)  # it may have ended by itself meanwhile: that is no error


def _entry(body: bytes) -> _Entry | None:
    tuples = dict(_attributes(body[4:]))
    original, reply = _endpoints(tuples[_ORIGINAL]), _endpoints(tuples[_REPLY])
    if original is None or reply is None:
        return None
    # Answers come from the endpoint: the source of the reply's direction.
    return _Entry(Flow(*original.destination, *reply.source), tuples[_ORIGINAL])


class _Tuple(NamedTuple):
    source: tuple[str, int]
    destination: tuple[str, int]


def _endpoints(data: bytes) -> _Tuple | None:
    parts = dict(_attributes(data))
    addresses, ports = dict(_attributes(parts[_IP])), dict(_attributes(parts[_PROTOCOL]))
    if len(addresses.get(_SOURCE, b"")) != 4 or ports[_NUMBER][0] != socket.IPPROTO_UDP:
        return None
    return _Tuple(
        (str(IPv4Address(addresses[_SOURCE])), int.from_bytes(ports[_SOURCE_PORT])),
        (str(IPv4Address(addresses[_DESTINATION])), int.from_bytes(ports[_DESTINATION_PORT])),
    )


def _message(kind: int, flags: int, attributes: bytes) -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def _attribute(kind: int, data: bytes) -> bytes:
    padded = data + bytes(_aligned(len(data)) - len(data))
    return struct.pack("=HH", 4 + len(data), kind) + padded


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & _TYPE_BITS, data[4:length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise OSError(-code, os.strerror(-code))
