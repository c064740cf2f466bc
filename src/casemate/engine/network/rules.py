"""Services as nftables rules, in nft's JSON (libnftables-json(5)).

1. One map from address, protocol and port leads to the chain of a Service's port, so that a packet costs the same
   however many Services there are.
2. That chain picks one of its endpoints at random, or with session affinity the one that the client's address had.
3. What was translated is masqueraded: the answer must come back this way, also when client and server are one Pod. The
   server therefore sees the router's address, not the client's.
4. What is sent to a Service address and was not translated (no endpoint, no such port) is refused at once.
5. One transaction replaces all rules. The sets of affinity stay, for they remember.

Follows kube-proxy's nftables mode (KEP-3866).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network
from typing import TypeAlias

from casemate.engine.network.services import Endpoint, PortRules, ServiceRules

TABLE = "casemate"
Json: TypeAlias = Mapping[str, object]

_IN_TABLE = {"family": "ip", "table": TABLE}
_HOOKS = {
    "prerouting": {"type": "nat", "hook": "prerouting", "prio": -100},
    "postrouting": {"type": "nat", "hook": "postrouting", "prio": 100},
    "forward": {"type": "filter", "hook": "forward", "prio": 0},
}
_MAP = "services"
_LONGEST = 100


@dataclass(frozen=True)
class Leftover:
    """Chains and sets of the table as it stands."""

    chains: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Transaction:
    """Commands for `nft -j -f -`, and what will stand after them."""

    commands: Sequence[Json]
    after: Leftover


@dataclass(frozen=True)
class _Target:
    """An endpoint with its chain, and its set when clients stick to it (`seconds` > 0)."""

    endpoint: Endpoint
    protocol: str
    chain: str
    seconds: int


def transaction(services: Iterable[ServiceRules], service_network: IPv4Network, before: Leftover) -> Transaction:
    """What makes the table hold exactly `services`, whatever of ours it holds now."""
    ports = {_port_chain(service, port): _targets(service, port) for service, port in _routed(services)}
    elements = [_element(service, port) for service, port in _routed(services)]
    targets = [target for group in ports.values() for target in group]
    after = Leftover(
        frozenset([*ports, *(target.chain for target in targets)]),
        frozenset(target.chain for target in targets if target.seconds),
    )
    commands = [
        *_skeleton(service_network),
        *(_add("chain", name=name) for name in sorted(after.chains)),
        *(_affinity_set(target) for target in targets if target.seconds and target.chain not in before.sets),
        *(rule for target in targets for rule in _endpoint_rules(target)),
        *(rule for chain, group in ports.items() for rule in _choice_rules(chain, group)),
        *([_add("element", name=_MAP, elem=elements)] if elements else []),
        *(_delete("chain", name) for name in sorted(before.chains - after.chains)),
        *(_delete("set", name) for name in sorted(before.sets - after.sets)),
    ]
    return Transaction(commands, after)


def _routed(services: Iterable[ServiceRules]) -> Iterator[tuple[ServiceRules, PortRules]]:
    for service in services:
        for port in service.ports:
            if service.cluster_ip and port.endpoints:
                yield service, port


def _skeleton(service_network: IPv4Network) -> Iterator[Json]:
    yield {"add": {"table": {"family": "ip", "name": TABLE}}}
    yield {"flush": {"table": {"family": "ip", "name": TABLE}}}
    yield _add("map", name=_MAP, type=["ipv4_addr", "inet_proto", "inet_service"], map="verdict")
    yield {"flush": {"map": {**_IN_TABLE, "name": _MAP}}}
    for name, hook in _HOOKS.items():
        yield _add("chain", name=name, policy="accept", **hook)
    key = [_field("ip", "daddr"), _L4PROTO, _field("th", "dport")]
    yield _rule("prerouting", {"vmap": {"key": {"concat": key}, "data": f"@{_MAP}"}})
    yield _rule("postrouting", _match({"ct": {"key": "status"}}, "dnat", "in"), {"masquerade": None})
    unserved = _match(
        _field("ip", "daddr"), {"prefix": {"addr": str(service_network[0]), "len": service_network.prefixlen}}
    )
    yield _rule("forward", unserved, _match(_L4PROTO, "tcp"), {"reject": {"type": "tcp reset"}})
    yield _rule("forward", unserved, {"reject": {"type": "icmp", "expr": "port-unreachable"}})


def _targets(service: ServiceRules, port: PortRules) -> list[_Target]:
    chain = _port_chain(service, port)
    return [
        _Target(each, port.protocol, _chain(f"{chain}/{each.backend.ip}:{each.port}"), service.affinity_seconds)
        for each in port.endpoints
    ]


def _element(service: ServiceRules, port: PortRules) -> Sequence[object]:
    key = {"concat": [service.cluster_ip, port.protocol.lower(), port.port]}
    return [key, {"goto": {"target": _port_chain(service, port)}}]


def _choice_rules(chain: str, targets: Sequence[_Target]) -> Iterator[Json]:
    for target in targets:
        if target.seconds:
            yield _rule(chain, _match(_SOURCE, f"@{target.chain}"), {"goto": {"target": target.chain}})
    choices = [[number, {"goto": {"target": target.chain}}] for number, target in enumerate(targets)]
    draw = {"numgen": {"mode": "random", "mod": len(targets), "offset": 0}}
    yield _rule(chain, {"vmap": {"key": draw, "data": {"set": choices}}})


def _endpoint_rules(target: _Target) -> Iterator[Json]:
    if target.seconds:
        yield _rule(target.chain, {"set": {"op": "update", "elem": _SOURCE, "set": f"@{target.chain}"}})
    destination = {"addr": target.endpoint.backend.ip, "port": target.endpoint.port}
    yield _rule(target.chain, _match(_L4PROTO, target.protocol.lower()), {"dnat": destination})


def _affinity_set(target: _Target) -> Json:
    return _add("set", name=target.chain, type="ipv4_addr", flags=["timeout"], timeout=target.seconds)


def _port_chain(service: ServiceRules, port: PortRules) -> str:
    return _chain(f"{service.key}/{port.protocol.lower()}/{port.port}" + f"/{service.affinity_seconds}")


def _chain(text: str) -> str:
    """A unique name that begins with what it stands for; nft's names end at 128 characters."""
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{text[:_LONGEST]}-{digest}"


_L4PROTO: Json = {"meta": {"key": "l4proto"}}


def _field(protocol: str, name: str) -> Json:
    return {"payload": {"protocol": protocol, "field": name}}


_SOURCE = _field("ip", "saddr")


def _match(left: Json, right: object, operator: str = "==") -> Json:
    return {"match": {"op": operator, "left": left, "right": right}}


def _rule(chain: str, *expressions: Json) -> Json:
    return {"add": {"rule": {**_IN_TABLE, "chain": chain, "expr": list(expressions)}}}


def _add(kind: str, **what: object) -> Json:
    return {"add": {kind: {**_IN_TABLE, **what}}}


def _delete(kind: str, name: str) -> Json:
    return {"delete": {kind: {**_IN_TABLE, "name": name}}}
