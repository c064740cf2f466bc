from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.network.dnsserver import DnsServer
from casemate.engine.network.services import ServiceKey, ServiceRules
from casemate.engine.network.zone import build

WEB = ServiceRules(ServiceKey("shop", "web"), "10.9.128.9")
ZONE = build([WEB], [], IPv4Network("10.9.0.0/16"))
GOOD = dns.message.make_query("web.shop.svc.cluster.local", "A", use_edns=True).to_wire()


def replies(wire: bytes) -> list[bytes]:
    """What the server says to a datagram; there is nobody upstream."""

    async def ask() -> list[bytes]:
        server = DnsServer(Path("/nowhere"), IPv4Address("10.9.255.10"), upstream=tuple)
        server.zone = ZONE
        found: list[bytes] = []
        server.received(wire, found.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await server.stop()
        return found

    return asyncio.run(ask())


@given(st.binary(max_size=80))
def test_any_datagram_gets_at_most_one_reply_and_never_an_exception(wire: bytes) -> None:
    found = replies(wire)

    assert len(found) <= 1
    assert all(each[:2] == wire[:2] for each in found)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6))
def test_a_damaged_query_gets_at_most_one_reply_and_never_an_exception(damage: list[tuple[int, int]]) -> None:
    wire = bytearray(GOOD)
    for place, byte in damage:
        wire[place] = byte

    assert len(replies(bytes(wire))) <= 1


def test_a_response_gets_no_reply_so_that_two_servers_cannot_keep_each_other_busy() -> None:
    assert replies(GOOD[:2] + b"\x80" + GOOD[3:]) == []


def test_a_host_without_name_servers_gives_servfail_at_once() -> None:
    (reply,) = replies(dns.message.make_query("example.com", "A").to_wire())

    assert reply[3] & 0xF == 2
