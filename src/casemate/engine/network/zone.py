"""The names of an engine's Services and Pods, as plain data.

For Service `web` in `shop`, domain `cluster.local`:

1. `web.shop.svc` has A: its ClusterIP; headless, the addresses of its Pods; ExternalName has CNAME instead.
2. `_http._tcp.web.shop.svc` has SRV for each named port; headless, one per Pod.
3. Under a headless Service each Pod has A: by its hostname when its subdomain is the Service's name, else by its
   address with dashes.
4. `10-1-2-3.shop.pod` has A for the Pod of that address.
5. Addresses of Services, and of Pods that have a hostname under a headless Service, have PTR.
6. `dns-version` has TXT. A name that only leads to others exists, without records.

Source: kubernetes/dns docs/specification.md 1.1.0. IPv4 only: no AAAA.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from casemate.engine.network.services import Backend, PodState, PortRules, ServiceRules

DOMAIN = "cluster.local"

Records = Mapping[str, Mapping[str, tuple[str, ...]]]
"""From absolute lower-case name to type to data, as in a zone file."""


@dataclass(frozen=True)
class Zone:
    """All names under `origins`, with trailing dots. Immutable: a change of state makes a new one."""

    origins: tuple[str, ...] = (f"{DOMAIN}.",)
    records: Records = field(default_factory=dict)

    def origin_of(self, name: str) -> str:
        """The origin that `name` lies under; empty when the zone knows nothing of it."""
        return next((each for each in self.origins if name == each or name.endswith(f".{each}")), "")


def build(services: Iterable[ServiceRules], pods: Iterable[PodState], network: IPv4Network) -> Zone:
    """The zone of `services` and `pods` whose addresses lie in `network`."""
    table: dict[str, dict[str, list[str]]] = {}
    origins = (f"{DOMAIN}.", *_reverse_origin(network))
    for name, kind, data in (*_of_services(services), *_of_pods(pods)):
        values = table.setdefault(name, {}).setdefault(kind, [])
        if data not in values:
            values.append(data)
    for name in list(table):
        for ancestor in _between(name, origins):
            table.setdefault(ancestor, {})
    for origin in origins:
        table.setdefault(origin, {})
    records = {name: {kind: tuple(data) for kind, data in kinds.items()} for name, kinds in table.items()}
    return Zone(origins, records)


_Record = tuple[str, str, str]


def _of_services(services: Iterable[ServiceRules]) -> Iterator[_Record]:
    yield f"dns-version.{DOMAIN}.", "TXT", '"1.1.0"'
    for service in services:
        name = f"{service.key.name}.{service.key.namespace}.svc.{DOMAIN}.".lower()
        if service.external_name:
            yield name, "CNAME", service.external_name.lower().rstrip(".") + "."
        elif service.cluster_ip:
            yield from _with_address(service, name)
        else:
            yield from _headless(service, name)


def _with_address(service: ServiceRules, name: str) -> Iterator[_Record]:
    yield name, "A", service.cluster_ip
    yield _reverse(service.cluster_ip), "PTR", name
    for port in service.ports:
        yield from _srv(port, name, name, port.port)


def _headless(service: ServiceRules, name: str) -> Iterator[_Record]:
    for backend in service.backends:
        own = _own_name(backend, name)
        yield name, "A", backend.ip
        yield own, "A", backend.ip
        if backend.hostname:
            yield _reverse(backend.ip), "PTR", own
    for port in service.ports:
        for endpoint in port.endpoints:
            yield from _srv(port, name, _own_name(endpoint.backend, name), endpoint.port)


def _srv(port: PortRules, service: str, target: str, number: int) -> Iterator[_Record]:
    if port.name:
        yield f"_{port.name}._{port.protocol.lower()}.{service}", "SRV", f"0 100 {number} {target}"


def _own_name(backend: Backend, service: str) -> str:
    return f"{backend.hostname.lower() or _dashed(backend.ip)}.{service}"


def _of_pods(pods: Iterable[PodState]) -> Iterator[_Record]:
    for pod in pods:
        if pod.ip:
            yield f"{_dashed(pod.ip)}.{pod.namespace}.pod.{DOMAIN}.", "A", pod.ip


def _between(name: str, origins: Iterable[str]) -> Iterator[str]:
    """The names between `name` and its origin: they exist because something below them does."""
    parent = name.partition(".")[2]
    while parent and parent not in origins and any(parent.endswith(f".{each}") for each in origins):
        yield parent
        parent = parent.partition(".")[2]


def _dashed(address: str) -> str:
    return address.replace(".", "-")


def _reverse(address: str) -> str:
    return IPv4Address(address).reverse_pointer + "."


def _reverse_origin(network: IPv4Network) -> Iterator[str]:
    # Only whole octets have a name of their own; in other networks unknown addresses are asked upstream.
    if network.prefixlen in (8, 16, 24):
        octets = str(network.network_address).split(".")[: network.prefixlen // 8]
        yield ".".join([*reversed(octets), "in-addr.arpa."])
