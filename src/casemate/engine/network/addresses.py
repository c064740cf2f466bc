"""Who gets which Service address and which node port.

1. What a Service holds it keeps: Pods have it in their environment.
2. An address or port that the Service itself names is honoured, or is an error: outside the engine's range, or taken.
3. Otherwise the Service's name decides where the search for a free one begins, so that the same input gives the same
   addresses.
4. A Service that is gone gives its address back.

Source: KEP-3070 (static and dynamic allocation of ClusterIPs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import NamedTuple, TypeVar

from casemate.engine.network.services import ServiceKey, has_address, key_of
from casemate.errors import InputError, RefusedError
from casemate.model.kube.objects import Service, ServiceSpec

_NODE_PORTS = range(30000, 32768)
_RESERVED = 16
"""The first addresses of the Service network are left for those that manifests name."""


class PortKey(NamedTuple):
    """One port of a Service; `port` is its name, empty when it has none."""

    service: ServiceKey
    protocol: str
    port: str

    def __str__(self) -> str:
        return f"{self.service}:{self.port}/{self.protocol}"


_Key = TypeVar("_Key", ServiceKey, PortKey)


def cluster_ips(
    services: Iterable[Service], network: IPv4Network, held: Mapping[ServiceKey, str]
) -> dict[ServiceKey, str]:
    """The ClusterIP of every Service that has one. `held` are those given out before."""
    wanted = {key_of(each): _named_address(each, network) for each in services if has_address(each)}
    before = {key: int(IPv4Address(address)) for key, address in held.items() if IPv4Address(address) in network}
    free = range(int(network[_RESERVED]), int(network[-1]))
    given = _settle(wanted, before, free, "the engine's Service network")
    return {key: str(IPv4Address(number)) for key, number in given.items()}


def node_ports(services: Iterable[Service], held: Mapping[PortKey, int]) -> dict[PortKey, int]:
    """The node port of every port of NodePort and LoadBalancer Services. `held` are those given out before."""
    wanted: dict[PortKey, int] = {}
    for service in services:
        spec = service.spec or ServiceSpec()
        if _has_node_ports(spec):
            ports = {PortKey(key_of(service), port.protocol or "TCP", port.name or ""): port for port in spec.ports}
            wanted |= {key: port.nodePort or 0 for key, port in ports.items()}
    given: dict[PortKey, int] = {}
    for protocol in sorted({key.protocol for key in wanted}):
        of_protocol = {key: number for key, number in wanted.items() if key.protocol == protocol}
        given |= _settle(of_protocol, held, _NODE_PORTS, "the range of node ports")
    return given


def _has_node_ports(spec: ServiceSpec) -> bool:
    if spec.type == "LoadBalancer":
        return spec.allocateLoadBalancerNodePorts is not False
    return spec.type == "NodePort"


def _named_address(service: Service, network: IPv4Network) -> int:
    text = (service.spec and service.spec.clusterIP) or ""
    if not text:
        return 0
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise InputError(f"clusterIP {text!r} is no IPv4 address", where=f"Service {key_of(service)}") from None
    if address not in network or address in (network[0], network[-1]):
        raise RefusedError(
            f"clusterIP {text} is not in this engine's Service network {network}",
            where=f"Service {key_of(service)}",
            fix="leave clusterIP unset",
        )
    return int(address)


def _settle(wanted: Mapping[_Key, int], held: Mapping[_Key, int], free: range, place: str) -> dict[_Key, int]:
    """A number for every key: the one it names (0 for none), else the one it holds, else a free one."""
    owners = _named(wanted)
    for key in wanted.keys() - owners.values():
        if held.get(key, 0):
            owners.setdefault(held[key], key)
    for key in sorted(wanted.keys() - owners.values()):
        owners[_search(str(key), free, owners, place)] = key
    return {key: number for number, key in owners.items()}


def _named(wanted: Mapping[_Key, int]) -> dict[int, _Key]:
    owners: dict[int, _Key] = {}
    for key, number in wanted.items():
        if number and owners.setdefault(number, key) != key:
            raise InputError(f"asks for what Service {owners[number]} asks for too", where=f"Service {key}")
    return owners


def _search(key: str, free: range, used: Mapping[int, object], place: str) -> int:
    first = int.from_bytes(sha256(key.encode()).digest()[:4]) % len(free)
    for step in range(len(free)):
        number = free[(first + step) % len(free)]
        if number not in used:
            return number
    raise RefusedError(f"{place} is full", where=f"Service {key}", fix="take some Services down")
