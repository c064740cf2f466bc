"""The network of one engine, as the supervisor drives it: start it, tell it the state, stop it.

`update` takes all Services and Pods and makes names, routes and host ports follow; it is cheap when nothing changed.
Addresses that were given out are kept in `network.json`, so that a new supervisor gives the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from casemate.engine.network import egress, hostports, links, zone
from casemate.engine.network.addresses import PortKey, cluster_ips, node_ports
from casemate.engine.network.dnsserver import DnsServer
from casemate.engine.network.doctor import Finding, examine
from casemate.engine.network.plan import NetworkPlan
from casemate.engine.network.relay import Relays
from casemate.engine.network.router import Router
from casemate.engine.network.services import PodState, ServiceKey, ServiceRules, key_of, resolve
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.model.kube.objects import Service


class _Held(msgspec.Struct, frozen=True):
    """What was given out: ClusterIPs and node ports."""

    cluster_ips: tuple[tuple[ServiceKey, str], ...] = ()
    node_ports: tuple[tuple[PortKey, int], ...] = ()


class Fabric:
    """Names, Service addresses and host ports for the Pods of one engine. Needs root."""

    def __init__(self, paths: EnginePaths, settings: EngineSettings) -> None:
        self.plan = NetworkPlan.of(settings)
        self._engine = paths.name
        self._file = paths.root / "network.json"
        self._held = _read(self._file)
        self._router = Router(self.plan, paths.name)
        self._dns = DnsServer(self._router.link.path, self.plan.dns_address)
        self._relays = Relays()
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Make or adopt the router, let Pods out, serve DNS. Raises `RuntimeFault` or `MissingError` when it cannot."""
        await asyncio.to_thread(self._router.create)
        await asyncio.to_thread(egress.create, self.plan, self._engine)
        await self._dns.start()

    def allocate(self, services: Sequence[Service]) -> None:
        """Give addresses to `services` (all there are). Raises `InputError` when one cannot have what it names.

        Nothing changes when it raises: call it before a run is accepted.
        """
        ips = cluster_ips(services, self.plan.service_network, dict(self._held.cluster_ips))
        ports = node_ports(services, dict(self._held.node_ports))
        held = _Held(tuple(sorted(ips.items())), tuple(sorted(ports.items())))
        if held != self._held:
            _write(self._file, held)
            self._held = held

    async def update(self, services: Sequence[Service], pods: Sequence[PodState]) -> tuple[str, ...]:
        """Make names, routes and host ports those of `services` and `pods`; says which host ports could not be had.

        Both are all there are: call it first when all Pods that run are known, or their Services stand still meanwhile.
        """
        async with self._lock:
            self.allocate(services)
            located = (self._located(pod) for pod in pods)
            in_order = sorted(located, key=lambda pod: (pod.namespace, pod.name))
            rules = self._resolve(services, in_order)
            self._dns.zone = zone.build(rules, in_order, self.plan.cluster_network)
            await asyncio.to_thread(self._router.apply, rules)
            return await self._relays.apply((*hostports.of_pods(in_order), *hostports.of_services(rules)))

    async def stop(self) -> None:
        """Close the sockets. The router and its rules stay for the next supervisor (see `cleanup`)."""
        await self._relays.close()
        await self._dns.stop()

    async def examine(self) -> tuple[Finding, ...]:
        """What on this host keeps Pods from their Services; empty when traffic passes. Call after `start`."""
        return await asyncio.to_thread(examine, self.plan, self._engine)

    def cluster_ip(self, key: ServiceKey) -> str:
        """The address of a Service; empty when it has none."""
        return dict(self._held.cluster_ips).get(key, "")

    def environment(self, services: Sequence[Service], namespace: str) -> dict[str, str]:
        """The variables that name `services` (allocated before) to a new Pod of `namespace`."""
        return links.environment(self._resolve(services, ()), namespace)

    def _located(self, pod: PodState) -> PodState:
        """The Pod with an address that others reach: in the host's network, the host's end of the router's link."""
        return replace(pod, ip=str(self.plan.host_address)) if pod.host_network else pod

    def _resolve(self, services: Sequence[Service], pods: Sequence[PodState]) -> tuple[ServiceRules, ...]:
        ips = dict(self._held.cluster_ips)
        ports = _by_service(self._held.node_ports)
        found = (resolve(each, ips.get(key_of(each), ""), pods, ports.get(key_of(each), {})) for each in services)
        return tuple(sorted(found, key=lambda rules: rules.key))


def _by_service(held: Sequence[tuple[PortKey, int]]) -> Mapping[ServiceKey, Mapping[tuple[str, str], int]]:
    ports: dict[ServiceKey, dict[tuple[str, str], int]] = {}
    for key, number in held:
        ports.setdefault(key.service, {})[key.protocol, key.port] = number
    return ports


def _read(file: Path) -> _Held:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Held)
    except (FileNotFoundError, msgspec.DecodeError):
        return _Held()


def _write(file: Path, held: _Held) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(held))
    draft.replace(file)
