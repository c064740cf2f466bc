"""Why traffic between Pods and Services does not pass on this host, in words that an administrator can act on.

1. Forwarding is tried for real: a namespace of our own, linked to the host as a Pod is, connects to a socket in the
   router.
2. Only when that fails are causes looked for: `net.ipv4.ip_forward`, and chains of nftables (thereby of iptables-nft)
   and of iptables-legacy on the way of forwarded packets that drop or reject by policy or by a rule for everything.
3. Networks of the host that came after the engine chose its own and now overlap it are a fault, whether or not traffic
   passes: some of it goes astray.
4. When no cause is found, that is said too, with what was tried.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeAlias

from casemate.engine.network.command import run
from casemate.engine.network.namespace import inside, named
from casemate.engine.network.plan import NetworkPlan
from casemate.engine.network.router import Link
from casemate.errors import CasemateError, RuntimeFault

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_SECONDS = 2.0

_Entry: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Finding:
    """What is wrong, where it was seen, and what to do."""

    what: str
    where: str
    fix: str


@dataclass(frozen=True)
class HostState:
    """What decides on this host whether packets arrive.

    `dropping` are chains that let nothing else pass; `overlapping` are routes of others into the engine's addresses.
    """

    ip_forward: bool = True
    dropping: tuple[str, ...] = ()
    overlapping: tuple[str, ...] = ()


def examine(plan: NetworkPlan, engine: str) -> tuple[Finding, ...]:
    """What keeps Pods of `engine` from its Services; empty when traffic passes. The router must exist. Needs root."""
    link = Link.of(engine)
    overlapping = tuple(_overlapping(plan, link))
    if _passes(plan, engine):
        return tuple(_causes(HostState(overlapping=overlapping), plan))
    state = HostState(_FORWARD.read_text().strip() == "1", (*_nft_drops(), *_legacy_drops()), overlapping)
    return diagnose(state, plan, link)


def diagnose(state: HostState, plan: NetworkPlan, link: Link) -> tuple[Finding, ...]:
    """The causes that `state` shows for traffic that does not pass."""
    found = tuple(_causes(state, plan))
    unknown = Finding(
        f"packets from {plan.pod_network} do not reach {plan.dns_address}",
        f"interface {link.interface}",
        "look for a rule that drops forwarded packets (nft list ruleset, iptables-save), or an ip rule",
    )
    return found or (unknown,)


def _causes(state: HostState, plan: NetworkPlan) -> Iterator[Finding]:
    if not state.ip_forward:
        yield Finding("the host does not forward packets", "net.ipv4.ip_forward = 0", "sysctl -w net.ipv4.ip_forward=1")
    for chain in state.dropping:
        yield Finding(
            "the host's firewall drops forwarded packets",
            chain,
            f"accept {plan.cluster_network} there, such as: {_accept(chain, plan)}",
        )

    for route in state.overlapping:
        yield Finding(
            f"another network of this host overlaps the engine's {plan.cluster_network}",
            f"route {route}",
            "remove that route, or stop the engine, remove its engine.json, and start it again",
        )


def _accept(chain: str, plan: NetworkPlan) -> str:
    tool, *place = chain.split()
    if place == ["filter", "FORWARD"]:
        return " && ".join(f"{tool} -I FORWARD {side} {plan.cluster_network} -j ACCEPT" for side in ("-s", "-d"))
    return f"nft insert rule {' '.join(place)} ip saddr {plan.cluster_network} accept"


def _overlapping(plan: NetworkPlan, link: Link) -> Iterator[str]:
    for route in json.loads(run("ip", "-j", "-4", "route", "show")):
        device = str(route.get("dev", ""))
        ours = device == link.interface or device.startswith("veth")
        if route["dst"] != "default" and not ours and IPv4Network(route["dst"]).overlaps(plan.cluster_network):
            yield f"{route['dst']} dev {device}"


def _nft_drops() -> Iterator[str]:
    try:
        entries = json.loads(run("nft", "-j", "list", "ruleset"))["nftables"]
    except CasemateError:
        return  # no nft, hence no rules of it
    final = {_place(rule) for rule in _of(entries, "rule") if _is_final(rule["expr"])}
    for chain in _of(entries, "chain"):
        if chain.get("hook") == "forward" and (chain.get("policy") == "drop" or _place(chain) in final):
            yield _place(chain)


def _of(entries: Sequence[Mapping[str, _Entry]], kind: str) -> Iterator[_Entry]:
    yield from (entry[kind] for entry in entries if kind in entry)


def _is_final(expressions: object) -> bool:
    """Whether a rule drops or rejects whatever reaches it."""
    assert isinstance(expressions, list)
    kinds = [next(iter(each)) for each in expressions]
    return bool(kinds) and kinds[-1] in ("drop", "reject") and set(kinds[:-1]) <= {"counter", "log"}


def _place(entry: _Entry) -> str:
    place = (entry["family"], entry["table"], entry.get("chain") or entry["name"])
    return "iptables filter FORWARD" if place == ("ip", "filter", "FORWARD") else "nft " + " ".join(map(str, place))


def _legacy_drops() -> Iterator[str]:
    with suppress(CasemateError):
        if "-P FORWARD DROP" in run("iptables-legacy", "-S", "FORWARD").splitlines():
            yield "iptables-legacy filter FORWARD"


def _passes(plan: NetworkPlan, engine: str) -> bool:
    probe = _Probe(plan, engine)
    listen = partial(socket.create_server, (str(plan.router_address), 0))
    with inside(Link.of(engine).path, listen) as server:
        try:
            probe.attach()
            return inside(named(probe.name), partial(_connects, server.getsockname()))
        finally:
            probe.detach()


def _connects(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, _SECONDS):
            return True
    except OSError:
        return False


class _Probe:
    """A namespace with one address of the Pod network that CNI never hands out, linked as CNI's ptp links a Pod."""

    def __init__(self, plan: NetworkPlan, engine: str) -> None:
        self.name = f"casemate-probe-{engine}"
        self._outer = "cmp" + Link.of(engine).interface.removeprefix("casemate-")
        self._address = plan.pod_network[-1]
        self._gateway = plan.pod_network[1]

    def attach(self) -> None:
        self.detach()
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self._outer, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        within = ("ip", "-n", self.name)
        for command in self._commands(within):
            run(*command)

    def detach(self) -> None:
        for command in (("ip", "link", "delete", self._outer), ("ip", "netns", "delete", self.name)):
            with suppress(RuntimeFault):
                run(*command)

    def _commands(self, within: Sequence[str]) -> Iterator[Sequence[str]]:
        yield "ip", "address", "add", f"{self._gateway}/32", "dev", self._outer
        yield "ip", "link", "set", self._outer, "up"
        yield "ip", "route", "add", f"{self._address}/32", "dev", self._outer
        yield *within, "address", "add", f"{self._address}/32", "dev", "eth0"
        yield *within, "link", "set", "eth0", "up"
        yield *within, "route", "add", f"{self._gateway}/32", "dev", "eth0"
        yield *within, "route", "add", "default", "via", str(self._gateway)
