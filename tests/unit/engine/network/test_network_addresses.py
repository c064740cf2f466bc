from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.network.addresses import PortKey, cluster_ips, node_ports
from casemate.engine.network.services import ServiceKey
from casemate.errors import InputError, RefusedError
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import Service, ServicePort, ServiceSpec

NETWORK = IPv4Network("10.9.128.0/18")
NAMES = st.sets(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=40)


def service(name: str, **spec: object) -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ServiceSpec(**spec))  # type: ignore[arg-type]


def key(name: str) -> ServiceKey:
    return ServiceKey("default", name)


@given(NAMES)
def test_every_service_has_an_address_of_its_own_in_the_network(names: set[str]) -> None:
    given_out = cluster_ips([service(name) for name in names], NETWORK, {})

    assert given_out.keys() == {key(name) for name in names}
    assert len(set(given_out.values())) == len(names)
    assert all(IPv4Address(each) in NETWORK for each in given_out.values())


@given(NAMES, NAMES)
def test_what_is_held_stays_whatever_comes_and_goes(before: set[str], after: set[str]) -> None:
    held = cluster_ips([service(name) for name in before], NETWORK, {})
    later = cluster_ips([service(name) for name in after], NETWORK, held)

    assert all(later[key(name)] == held[key(name)] for name in before & after)


def test_the_order_of_the_input_does_not_matter() -> None:
    services = [service(f"s{number}") for number in range(200)]

    assert cluster_ips(services, IPv4Network("10.0.0.0/24"), {}) == cluster_ips(
        services[::-1], IPv4Network("10.0.0.0/24"), {}
    )


def test_a_named_address_is_honoured_and_goes_before_what_another_holds() -> None:
    held = cluster_ips([service("web")], NETWORK, {})
    wanted = service("db", clusterIP=held[key("web")])

    given_out = cluster_ips([service("web"), wanted], NETWORK, held)

    assert given_out[key("db")] == held[key("web")]
    assert given_out[key("web")] != held[key("web")]


def test_headless_and_external_services_have_no_address() -> None:
    services = [service("a", clusterIP="None"), service("b", type="ExternalName", externalName="x")]

    assert cluster_ips(services, NETWORK, {}) == {}


WRONG = {
    "outside": ("10.96.0.10", RefusedError, "not in this engine's Service network"),
    "the network's own": ("10.9.128.0", RefusedError, "not in this engine's Service network"),
    "no address": ("web", InputError, "is no IPv4 address"),
    "IPv6": ("fd00::1", InputError, "is no IPv4 address"),
}


@pytest.mark.parametrize(("address", "error", "words"), WRONG.values(), ids=list(WRONG))
def test_an_address_that_cannot_be_had_is_refused(address: str, error: type[InputError], words: str) -> None:
    with pytest.raises(error, match=words):
        cluster_ips([service("web", clusterIP=address)], NETWORK, {})


def test_two_services_cannot_name_one_address() -> None:
    services = [service("a", clusterIP="10.9.128.9"), service("b", clusterIP="10.9.128.9")]

    with pytest.raises(InputError, match=r"Service default/a asks for") as caught:
        cluster_ips(services, NETWORK, {})

    assert caught.value.exit_code == 2


def test_a_full_network_is_said() -> None:
    with pytest.raises(RefusedError, match="is full"):
        cluster_ips([service(f"s{number}") for number in range(300)], IPv4Network("10.0.0.0/24"), {})


def test_an_address_that_was_held_in_another_network_is_given_up() -> None:
    given_out = cluster_ips([service("web")], NETWORK, {key("web"): "10.1.1.1"})

    assert IPv4Address(given_out[key("web")]) in NETWORK


def test_node_ports_are_those_named_or_free_ones_and_protocols_do_not_collide() -> None:
    tcp = ServicePort(port=53, nodePort=30053)
    udp = ServicePort(port=53, nodePort=30053, protocol="UDP")
    services = [service("a", type="NodePort", ports=(tcp,)), service("b", type="LoadBalancer", ports=(udp,))]
    services.append(service("c", type="NodePort", ports=(ServicePort(port=80),)))

    given_out = node_ports(services, {})

    assert given_out[PortKey(key("a"), "TCP", "")] == given_out[PortKey(key("b"), "UDP", "")] == 30053
    assert 30000 <= given_out[PortKey(key("c"), "TCP", "")] <= 32767
    assert node_ports(services, given_out) == given_out


def test_two_services_cannot_name_one_node_port() -> None:
    port = ServicePort(port=53, nodePort=30053)

    with pytest.raises(InputError, match="default/a"):
        node_ports([service(name, type="NodePort", ports=(port,)) for name in "ab"], {})


def test_a_cluster_ip_service_has_no_node_port() -> None:
    quiet = service("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False, ports=(ServicePort(port=80),))

    assert node_ports([service("a", ports=(ServicePort(port=80),)), quiet], {}) == {}
