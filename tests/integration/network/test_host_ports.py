from __future__ import annotations

import contextlib
import socket
import subprocess
import time

import pytest
from attached_pods import Attached, Loop, service

from casemate.engine.network.fabric import Fabric
from casemate.model.kube.container import ContainerPort
from casemate.model.kube.objects import ServicePort

pytestmark = pytest.mark.root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, kind: socket.SocketKind = socket.SOCK_STREAM, address: str = "127.0.0.1") -> str:
    with socket.socket(type=kind) as client:
        client.settimeout(3)
        client.connect((address, port))
        client.send(b"?")
        return client.recv(100).decode()


def hosted(pod: Attached, port: int, **more: object):
    return pod.state(ports=(ContainerPort(containerPort=8080, hostPort=port, **more),))


@pytest.mark.parametrize(("protocol", "kind"), [("TCP", socket.SOCK_STREAM), ("UDP", socket.SOCK_DGRAM)])
def test_a_host_port_leads_to_the_pod(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...], protocol: str, kind: socket.SocketKind
) -> None:
    port = free_port()

    assert loop(fabric.update([], [hosted(pods[0], port, protocol=protocol)])) == ()
    assert ask(port, kind).startswith("one ")


def test_a_host_port_listens_on_loopback_alone(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    port = free_port()
    loop(fabric.update([], [hosted(pods[0], port)]))

    with pytest.raises(ConnectionRefusedError):
        ask(port, address=str(fabric.plan.host_address))


def test_a_host_ip_is_listened_on(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    port, address = free_port(), str(fabric.plan.host_address)
    loop(fabric.update([], [hosted(pods[0], port, hostIP=address)]))

    assert ask(port, address=address).startswith("one ")


def test_a_host_port_ends_with_its_pod(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    port = free_port()
    loop(fabric.update([], [hosted(pods[0], port)]))
    loop(fabric.update([], []))

    with pytest.raises(ConnectionRefusedError):
        ask(port)


def test_a_port_that_the_host_uses_is_reported_and_the_others_are_served(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        faults = loop(fabric.update([], [hosted(pods[0], taken), hosted(pods[1], free)]))

        assert len(faults) == 1
        assert f"Pod default/one: 127.0.0.1:{taken}/TCP" in faults[0]
        assert ask(free).startswith("two ")


def test_a_node_port_leads_to_the_service(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    ports = (ServicePort(port=80, targetPort=8080, nodePort=30987),)
    loop(fabric.update([service(type="NodePort", ports=ports)], [pods[1].state()]))

    assert ask(30987).startswith("two ")


def test_a_half_closed_connection_still_gets_its_answer(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    port = free_port()
    loop(fabric.update([], [hosted(pods[0], port)]))

    done = subprocess.run(["busybox", "nc", "127.0.0.1", str(port)], input=b"x", capture_output=True, timeout=10)

    assert done.stdout.startswith(b"one ")


def test_taking_a_port_away_from_an_open_connection_is_no_fault_of_the_loop(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]
) -> None:
    port = free_port()
    loop(fabric.update([], [hosted(pods[0], port)]))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(3)
        time.sleep(0.2)
        loop(fabric.update([], []))
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""

    assert loop.faults == []


def test_of_two_pods_that_want_one_port_the_one_that_has_it_keeps_it(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]
) -> None:
    port, (one, two, _) = free_port(), pods
    loop(fabric.update([], [hosted(two, port)]))
    faults = loop(fabric.update([], [hosted(one, port), hosted(two, port)]))

    assert faults == (f"Pod default/one: 127.0.0.1:{port}/TCP is also that of Pod default/two",)
    assert ask(port).startswith("two ")
