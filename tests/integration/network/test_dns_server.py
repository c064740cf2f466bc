from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest
from attached_pods import Attached, Loop, service

from casemate.engine.network.dnsserver import DnsServer
from casemate.engine.network.fabric import Fabric
from casemate.engine.network.router import Link
from casemate.engine.network.services import ServiceKey

pytestmark = pytest.mark.root

UPSTREAM = IPv4Address("127.0.0.153")


def upstream_answer(wire: bytes) -> bytes:
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    name = query.question[0].name
    if str(name) == "big.test.":
        response.answer.append(dns.rrset.from_text(name, 5, "IN", "A", *(f"198.51.100.{n}" for n in range(200))))
    elif str(name).endswith("test."):
        response.answer.append(dns.rrset.from_text(name, 5, "IN", "A", "198.51.100.7"))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire(max_size=512, prefer_truncation=True)


@pytest.fixture(scope="module")
def upstream() -> Iterator[IPv4Address]:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((str(UPSTREAM), 53))

        def serve() -> None:
            while True:
                wire, client = server.recvfrom(4096)
                if not wire:
                    return
                server.sendto(upstream_answer(wire), client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield UPSTREAM
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"", (str(UPSTREAM), 53))
        thread.join()


def test_busybox_nslookup_in_a_pod_finds_a_service(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    loop(fabric.update([service()], [pods[0].state()]))

    found = pods[1].run("busybox", "nslookup", "web.default.svc.cluster.local", str(fabric.plan.dns_address))

    assert f"Address: {fabric.cluster_ip(ServiceKey('default', 'web'))}" in found


def test_a_new_endpoint_of_a_headless_service_is_named_at_once(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]
) -> None:
    headless = service(clusterIP="None")
    name = "web.default.svc.cluster.local"
    loop(fabric.update([headless], [pods[0].state()]))
    before = pods[2].run("busybox", "nslookup", name, str(fabric.plan.dns_address))
    loop(fabric.update([headless], [pods[0].state(), pods[1].state()]))
    after = pods[2].run("busybox", "nslookup", name, str(fabric.plan.dns_address))

    assert pods[1].ip not in before
    assert pods[1].ip in after


@pytest.mark.parametrize("ask", [dns.query.udp, dns.query.tcp])
def test_a_name_that_does_not_exist_is_denied_over_both_transports(fabric: Fabric, ask) -> None:
    query = dns.message.make_query("no.default.svc.cluster.local", "A")

    assert ask(query, str(fabric.plan.dns_address), timeout=3).rcode() == dns.rcode.NXDOMAIN


def test_a_malformed_packet_gets_formerr_and_the_server_lives_on(fabric: Fabric) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.connect((str(fabric.plan.dns_address), 53))
        for junk in (b"", b"x" * 5, b"\xff" * 60):
            client.send(junk)
        client.send(b"\x12\x34\x01\x00\x00\x09" + b"\xc0\x0c" * 40)
        answer = client.recv(512)

    assert answer[:4] == b"\x12\x34\x80\x01"
    assert dns.query.udp(dns.message.make_query("web.default.svc.cluster.local", "A"), str(fabric.plan.dns_address))


def test_a_cut_stream_is_dropped_and_the_server_lives_on(fabric: Fabric) -> None:
    address = (str(fabric.plan.dns_address), 53)
    for junk in (b"\x00", struct.pack("!H", 500) + b"abc", struct.pack("!H", 0)):
        with socket.create_connection(address, 3) as client:
            client.sendall(junk)
    query = dns.message.make_query("cluster.local", "SOA")

    assert dns.query.tcp(query, address[0], timeout=3).rcode() == dns.rcode.NOERROR


@pytest.fixture(scope="module")
def server(fabric: Fabric, paths, loop: Loop, upstream: IPv4Address) -> Iterator[str]:
    """A second server in the same router whose upstream is the test's own."""
    link = Link.of(paths.name)
    address = fabric.plan.router_address
    server = DnsServer(link.path, address, lambda: (upstream,))
    loop(server.start())
    yield str(address)
    loop(server.stop())


def test_other_names_are_asked_of_the_hosts_name_servers(server: str) -> None:
    answer = dns.query.udp(dns.message.make_query("www.test", "A"), server, timeout=3)

    assert [str(each) for each in answer.answer[0]] == ["198.51.100.7"]
    assert dns.query.udp(dns.message.make_query("www.nowhere", "A"), server).rcode() == dns.rcode.NXDOMAIN


def test_what_upstream_cut_is_cut_for_the_client_too(server: str) -> None:
    answer = dns.query.udp(dns.message.make_query("big.test", "A", use_edns=False), server, timeout=3)

    assert answer.flags & dns.flags.TC


def test_a_second_server_on_the_same_address_is_a_clear_fault(fabric: Fabric, paths, loop: Loop) -> None:
    second = DnsServer(Link.of(paths.name).path, fabric.plan.dns_address)

    with pytest.raises(Exception, match="DNS cannot be served: Address already in use"):
        loop(second.start())


def test_the_servers_sockets_are_not_on_the_host(fabric: Fabric) -> None:
    listening = subprocess.run(["ss", "-Hlntu", "src", str(fabric.plan.dns_address)], capture_output=True, text=True)

    assert listening.stdout == ""
