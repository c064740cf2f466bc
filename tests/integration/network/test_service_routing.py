from __future__ import annotations

import socket
import subprocess
import time

import pytest
from attached_pods import Attached, Loop, service

from casemate.engine.network.egress import table_of
from casemate.engine.network.fabric import Fabric
from casemate.engine.network.services import ServiceKey
from casemate.engine.paths import EnginePaths
from casemate.model.kube.objects import ClientIPConfig, ServicePort, SessionAffinityConfig

pytestmark = pytest.mark.root

KEY = ServiceKey("default", "web")


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_pod_reaches_every_ready_endpoint_of_a_service(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...], kind: str
) -> None:
    one, two, three = pods
    ports = (ServicePort(port=80, targetPort=8080, protocol=kind.upper()),)
    loop(fabric.update([service(ports=ports)], [one.state(), two.state(), three.state(ready=False)]))

    servers = {three.ask(fabric.cluster_ip(KEY), 80, kind).split()[0] for _ in range(20)}

    assert servers == {"one", "two"}


def test_a_pod_reaches_itself_through_its_service(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    loop(fabric.update([service()], [pods[0].state()]))

    assert pods[0].ask(fabric.cluster_ip(KEY), 80) == f"one {fabric.plan.router_address}"


def test_the_host_reaches_a_service(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    loop(fabric.update([service()], [pods[0].state()]))

    done = subprocess.run(
        ["curl", "-s", "--http0.9", "-m", "3", f"http://{fabric.cluster_ip(KEY)}/"], capture_output=True, text=True
    )

    assert done.stdout == f"one {fabric.plan.router_address}"


def test_with_session_affinity_a_client_stays_with_its_endpoint(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]
) -> None:
    sticky = service(sessionAffinity="ClientIP")
    states = [pod.state() for pod in pods]
    loop(fabric.update([sticky], states))

    first = {pod.name: pod.ask(fabric.cluster_ip(KEY), 80) for pod in pods}
    loop(fabric.update([sticky, service("other")], states))

    for pod in pods:
        assert {pod.ask(fabric.cluster_ip(KEY), 80) for _ in range(5)} == {first[pod.name]}


def test_session_affinity_ends_after_its_time(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    brief = SessionAffinityConfig(clientIP=ClientIPConfig(timeoutSeconds=1))
    loop(
        fabric.update([service(sessionAffinity="ClientIP", sessionAffinityConfig=brief)], [pod.state() for pod in pods])
    )
    seen = set()

    for _ in range(8):
        seen.add(pods[0].ask(fabric.cluster_ip(KEY), 80))
        time.sleep(1.2)

    assert len(seen) > 1


def test_a_service_without_endpoints_refuses_at_once(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    loop(fabric.update([service()], [pods[0].state(ready=False)]))

    began = time.monotonic()
    answer = pods[1].ask(fabric.cluster_ip(KEY), 80)

    assert "ConnectionRefusedError" in answer
    assert time.monotonic() - began < 1


def test_an_open_connection_outlives_an_update(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    loop(fabric.update([service()], [pods[0].state()]))
    patient = (
        "import socket, time; s = socket.create_connection(('{}', 80), 3); time.sleep(1); s.send(b'?'); "
        "print(s.recv(100))"
    )
    command = ["ip", "netns", "exec", pods[1].namespace, "python3", "-c", patient.format(fabric.cluster_ip(KEY))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        time.sleep(0.4)
        loop(fabric.update([service()], [pods[2].state()]))
        answer = client.communicate(timeout=10)[0]

    assert b"one" in answer


def test_a_pods_own_address_is_seen_by_other_pods_and_masked_towards_the_world(
    fabric: Fabric, paths: EnginePaths, pods: tuple[Attached, ...]
) -> None:
    one, two, _ = pods

    assert one.ask(two.ip, 8080) == f"two {one.ip}"
    table = subprocess.run(["nft", "list", "table", "ip", table_of(paths.name)], capture_output=True, text=True).stdout
    assert f"ip saddr {fabric.plan.pod_network} ip daddr != {{ {fabric.plan.cluster_network}, " in table


def test_a_udp_client_that_goes_on_from_one_port_is_led_to_the_new_endpoint(
    fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]
) -> None:
    datagrams = service(ports=(ServicePort(port=80, targetPort=8080, protocol="UDP"),))
    loop(fabric.update([datagrams], [pods[0].state()]))
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.connect((fabric.cluster_ip(KEY), 80))
        seen = []
        for pod in (pods[0], pods[1], pods[1]):
            loop(fabric.update([datagrams], [pod.state()]))
            client.send(b"?")
            seen.append(client.recv(100).split()[0].decode())

    assert seen == ["one", "two", "two"]


def test_a_service_leads_to_a_pod_in_the_hosts_network(fabric: Fabric, loop: Loop, pods: tuple[Attached, ...]) -> None:
    with socket.create_server(("", 0)) as server:
        ports = (ServicePort(port=80, targetPort=server.getsockname()[1]),)
        loop(fabric.update([service(ports=ports)], [pods[0].state(ip="", host_network=True)]))
        command = ["busybox", "nc", "-w", "2", fabric.cluster_ip(KEY), "80"]
        with subprocess.Popen(["ip", "netns", "exec", pods[1].namespace, *command], stdout=subprocess.PIPE) as client:
            server.settimeout(5)
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"the host")
            answer = client.communicate(timeout=10)[0]

    assert answer == b"the host"
