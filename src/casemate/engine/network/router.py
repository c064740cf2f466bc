"""The router of an engine: a network namespace through which all traffic to Service addresses goes.

1. A pair of virtual interfaces links it to the host. The host routes the Service network into it; it routes everything
   back to the host. No rule of ours stands in the host's own tables; `net.ipv4.ip_forward` is switched on.
2. `create` makes what is missing and keeps what is there, so that a supervisor that was killed finds its router, its
   rules and its connections again.
3. `apply` replaces all rules in one transaction; nothing happens when they are the same as before. TCP connections that
   are open go on, UDP conversations with endpoints that are gone begin anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from casemate.engine.network import rules
from casemate.engine.network.command import run, succeeds
from casemate.engine.network.conntrack import Flow, forget_udp
from casemate.engine.network.namespace import inside, named
from casemate.engine.network.plan import NetworkPlan
from casemate.engine.network.services import ServiceRules
from casemate.errors import RuntimeFault

_INNER = "eth0"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Link:
    """The names of an engine's router on this host: its namespace and the host's end of its link."""

    namespace: str
    interface: str

    @classmethod
    def of(cls, engine: str) -> Link:
        """Those of `engine`. Interface names end at 15 characters, so that one is a digest."""
        return cls(f"casemate-{engine}", f"casemate-{sha256(engine.encode()).hexdigest()[:6]}")

    @property
    def path(self) -> Path:
        """Where the namespace is held."""
        return named(self.namespace)


class Router:
    """Creates, fills and deletes the router of the engine `name`. Needs root."""

    def __init__(self, plan: NetworkPlan, name: str) -> None:
        self.plan = plan
        self.link = Link.of(name)
        self._applied: tuple[ServiceRules, ...] | None = None
        self._standing: rules.Leftover | None = None

    def create(self) -> None:
        """Make or adopt the router. Raises `RuntimeFault` with what the kernel refused."""
        if not _is_linked(self.link):
            delete(self.link)
            _build(self.link)
        _address(self.link, self.plan)
        _forward(self.link)
        self._applied = self._standing = None

    def delete(self) -> None:
        """Remove the router with its rules, link and routes. Does nothing when there is none."""
        delete(self.link)
        self._applied = self._standing = None

    def apply(self, services: Iterable[ServiceRules]) -> bool:
        """Route exactly `services`; True when something changed."""
        wanted = tuple(each for each in services if each.cluster_ip)
        if wanted == self._applied:
            return False
        if self._standing is None:
            self._standing = inside(self.link.path, _standing)
        change = rules.transaction(wanted, self.plan.service_network, self._standing)
        text = json.dumps({"nftables": change.commands})
        try:
            inside(self.link.path, lambda: run("nft", "-j", "-f", "-", stdin=text))
        except RuntimeFault:
            self._standing = None  # somebody else changed the table: look again next time
            raise
        inside(self.link.path, partial(_forget_udp, wanted))
        self._applied, self._standing = wanted, change.after
        return True


def delete(link: Link) -> None:
    """Remove the namespace and the host's end of `link`, also when only one of them is left."""
    with suppress(RuntimeFault):
        run("ip", "link", "delete", link.interface)
    with suppress(RuntimeFault):
        run("ip", "netns", "delete", link.namespace)
    # A mount in another mount namespace hides from `ip netns`; unlinking the file lets go of it there too.
    link.path.unlink(missing_ok=True)


def _is_linked(link: Link) -> bool:
    try:
        outer = _interface("-j", "link", "show", "dev", link.interface)
        inner = _interface("-n", link.namespace, "-j", "link", "show", "dev", _INNER)
    except RuntimeFault:
        return False
    return outer.get("link_index") == inner["ifindex"] and inner.get("link_index") == outer["ifindex"]


def _interface(*arguments: str) -> Mapping[str, object]:
    found: list[Mapping[str, object]] = json.loads(run("ip", *arguments))
    return found[0]


def _build(link: Link) -> None:
    run("ip", "netns", "add", link.namespace)
    peer = ["peer", "name", _INNER, "netns", link.namespace]
    run("ip", "link", "add", link.interface, "type", "veth", *peer)


def _address(link: Link, plan: NetworkPlan) -> None:
    within = ("ip", "-n", link.namespace)
    length = plan.router_network.prefixlen
    run("ip", "address", "replace", f"{plan.host_address}/{length}", "dev", link.interface)
    run("ip", "link", "set", link.interface, "up")
    run(*within, "address", "replace", f"{plan.router_address}/{length}", "dev", _INNER)
    run(*within, "address", "replace", f"{plan.dns_address}/32", "dev", _INNER)
    run(*within, "link", "set", _INNER, "up")
    run(*within, "link", "set", "lo", "up")
    run(*within, "route", "replace", "default", "via", str(plan.host_address))
    gateway = ("via", str(plan.router_address), "dev", link.interface)
    run("ip", "route", "replace", str(plan.service_network), *gateway)


def _forward(link: Link) -> None:
    """Let the router and the host forward. CNI's ptp would open the host with the first Pod anyway."""
    try:
        inside(link.path, _open)
        _open()
    except OSError as error:
        raise RuntimeFault(
            f"cannot switch forwarding on: {error.strerror}", where=str(_FORWARD), fix="sysctl -w net.ipv4.ip_forward=1"
        ) from None


def _open() -> None:
    if _FORWARD.read_text().strip() != "1":
        _FORWARD.write_text("1")


def _forget_udp(services: Iterable[ServiceRules]) -> None:
    addresses: set[str] = set()
    living: set[Flow] = set()
    for service in services:
        for port in service.ports:
            if port.protocol == "UDP":
                addresses.add(service.cluster_ip)
                flows = (Flow(service.cluster_ip, port.port, each.backend.ip, each.port) for each in port.endpoints)
                living.update(flows)
    if addresses:
        with suppress(OSError):  # a kernel without ctnetlink: entries end when their clients pause
            forget_udp(addresses, living)


def _standing() -> rules.Leftover:
    if not succeeds("nft", "list", "table", "ip", rules.TABLE):
        return rules.Leftover()
    entries = json.loads(run("nft", "-j", "list", "table", "ip", rules.TABLE))["nftables"]
    chains = {each["chain"]["name"] for each in entries if "chain" in each and "hook" not in each["chain"]}
    return rules.Leftover(frozenset(chains), frozenset(each["set"]["name"] for each in entries if "set" in each))
