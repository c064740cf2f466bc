"""Which addresses an engine uses.

1. An engine has one /16 of its own, cut into Pods (lower half), Services (third quarter) and the router with the DNS
   server (the last /24). One block means that CNI's masquerade, which spares the Pod network, spares Services too.
2. The /16 is free on this host: it overlaps no route, no name server and no other engine.
3. Among free ones the engine's name decides, so that an engine that is set up again tends to get the same addresses.

IPv4 only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from casemate.engine.network.command import run
from casemate.engine.network.upstream import nameservers
from casemate.engine.settings import EngineSettings
from casemate.errors import MissingError

_BLOCKS = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
_ENGINES = Path("/var/lib/casemate")


@dataclass(frozen=True)
class NetworkPlan:
    """The networks of one engine; `dns_address` lies in `router_network`."""

    pod_network: IPv4Network
    service_network: IPv4Network
    router_network: IPv4Network
    dns_address: IPv4Address

    @classmethod
    def of(cls, settings: EngineSettings) -> NetworkPlan:
        """The plan that `settings` wrote down."""
        return cls(
            IPv4Network(settings.pod_network),
            IPv4Network(settings.service_network),
            IPv4Network(settings.router_network),
            IPv4Address(settings.dns_address),
        )

    @property
    def cluster_network(self) -> IPv4Network:
        """The smallest network that holds Pods, Services and the router."""
        whole = self.pod_network
        while not (self.service_network.subnet_of(whole) and self.router_network.subnet_of(whole)):
            whole = whole.supernet()
        return whole

    @property
    def host_address(self) -> IPv4Address:
        """The host's end of its link to the router."""
        return self.router_network[1]

    @property
    def router_address(self) -> IPv4Address:
        """The router's end: the next hop of all Service addresses, and the source that their servers see."""
        return self.router_network[2]


def choose(name: str, taken: Iterable[IPv4Network]) -> NetworkPlan:
    """Addresses for the engine `name` that overlap nothing in `taken`. Raises `MissingError` when all are in use."""
    used = tuple(taken)
    for block in _BLOCKS:
        for network in _in_order_for(name, block):
            if not any(network.overlaps(each) for each in used):
                return _cut(network)
    raise MissingError(
        "no private /16 is free for the engine's network", where="host routes", fix="remove a route that is not needed"
    )


def host_networks() -> tuple[IPv4Network, ...]:
    """What this host already uses or reaches: routes, addresses, name servers, and networks of other engines."""
    return (*_routes(), *(IPv4Network(each) for each in nameservers()), *_other_engines())


def host_mtu() -> int:
    """The MTU of the interface that leads out of this host, for the Pods; 1500 where none leads out."""
    routes = json.loads(run("ip", "-j", "-4", "route", "show", "default"))
    if not routes:
        return 1500
    links = json.loads(run("ip", "-j", "link", "show", "dev", str(routes[0]["dev"])))
    return int(links[0]["mtu"])


def _in_order_for(name: str, block: IPv4Network) -> Iterator[IPv4Network]:
    networks = list(block.subnets(new_prefix=16)) if block.prefixlen < 16 else [block]
    first = int.from_bytes(sha256(name.encode()).digest()[:4]) % len(networks)
    yield from networks[first:]
    yield from networks[:first]


def _cut(network: IPv4Network) -> NetworkPlan:
    pods, upper = network.subnets(prefixlen_diff=1)
    services, rest = upper.subnets(prefixlen_diff=1)
    router = list(rest.subnets(new_prefix=24))[-1]
    return NetworkPlan(pods, services, router, router[10])


def _routes() -> Iterator[IPv4Network]:
    for route in json.loads(run("ip", "-j", "-4", "route", "show", "table", "all")):
        if route["dst"] != "default":
            yield IPv4Network(route["dst"], strict=False)


def _other_engines() -> Iterator[IPv4Network]:
    for file in _ENGINES.glob("*/engine.json"):
        try:
            settings = msgspec.json.decode(file.read_bytes(), type=EngineSettings)
        except (OSError, msgspec.DecodeError):
            continue  # removed or being written: it holds no addresses yet
        yield NetworkPlan.of(settings).cluster_network
