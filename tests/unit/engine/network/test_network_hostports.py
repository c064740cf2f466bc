from __future__ import annotations

import pytest

from casemate.engine.network.hostports import Listen, check, collide, of_pods
from casemate.engine.network.services import PodState
from casemate.errors import RefusedError
from casemate.model.kube.container import ContainerPort


def pod(name: str, *ports: ContainerPort, host_network: bool = False) -> PodState:
    return PodState("default", name, "10.0.0.2", ports=ports, host_network=host_network)


def port(number: int, host_ip: str | None = None, protocol: str | None = None) -> ContainerPort:
    return ContainerPort(containerPort=80, hostPort=number, hostIP=host_ip, protocol=protocol)


def test_two_pods_that_want_one_port_are_refused_by_name() -> None:
    with pytest.raises(RefusedError) as caught:
        check([pod("a", port(8080)), pod("b", port(8080))])

    assert str(caught.value).startswith("Pod default/b: hostPort 127.0.0.1:8080/TCP is also that of Pod default/a")


COLLISIONS = {
    "the same": (Listen("TCP", "127.0.0.1", 80), True),
    "another port": (Listen("TCP", "127.0.0.1", 81), False),
    "another protocol": (Listen("UDP", "127.0.0.1", 80), False),
    "another address": (Listen("TCP", "127.0.0.2", 80), False),
    "every address": (Listen("TCP", "0.0.0.0", 80), True),
}


@pytest.mark.parametrize(("other", "expected"), COLLISIONS.values(), ids=list(COLLISIONS))
def test_what_collides(other: Listen, expected: bool) -> None:
    mine = Listen("TCP", "127.0.0.1", 80)

    assert collide(mine, other) is collide(other, mine) is expected


def test_an_unset_host_ip_is_loopback() -> None:
    (forward,) = of_pods([pod("a", port(8080))])

    assert forward.listen == Listen("TCP", "127.0.0.1", 8080)
    assert (forward.address, forward.port) == ("10.0.0.2", 80)


def test_a_pod_in_the_hosts_network_needs_no_forward() -> None:
    assert list(of_pods([pod("a", port(8080), host_network=True)])) == []


def test_a_port_without_host_port_needs_no_forward() -> None:
    assert list(of_pods([pod("a", ContainerPort(containerPort=80))])) == []
