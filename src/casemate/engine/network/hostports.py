"""Which ports of the host lead to which Pods and Services, and who may have them.

1. A container's `hostPort` leads to the same Pod's `containerPort`, on `hostIP`, or on 127.0.0.1 when that is unset: an
   engine on a workstation opens nothing to its network that nobody asked for. (A kubelet listens on every address.)
2. A Service's node port leads to its ClusterIP, on 127.0.0.1, for the same reason.
3. A Pod in the host's network listens for itself.
4. Two Pods cannot have one port: same protocol and number, and the same address or one of them every address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from casemate.engine.network.services import PodState, ServiceRules
from casemate.errors import RefusedError

LOOPBACK = "127.0.0.1"
_EVERY = "0.0.0.0"  # noqa: S104 - compared with, never bound by default


class Listen(NamedTuple):
    """An address of the host."""

    protocol: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}/{self.protocol}"


@dataclass(frozen=True)
class Forward:
    """What arrives at `listen` goes to `address`:`port`. `owner` is who asked for it, such as `Pod default/web`."""

    listen: Listen
    address: str
    port: int
    owner: str


def of_pods(pods: Iterable[PodState]) -> Iterator[Forward]:
    """The forwards that Pods ask for; `address` is empty while the Pod has none."""
    for pod in pods:
        for port in pod.ports:
            if port.hostPort and not pod.host_network:
                listen = Listen(port.protocol or "TCP", port.hostIP or LOOPBACK, port.hostPort)
                yield Forward(listen, pod.ip, port.containerPort, f"Pod {pod.namespace}/{pod.name}")


def of_services(services: Iterable[ServiceRules]) -> Iterator[Forward]:
    """The forwards to Services that have node ports."""
    for service in services:
        for port in service.ports:
            if port.node_port and service.cluster_ip:
                listen = Listen(port.protocol, LOOPBACK, port.node_port)
                yield Forward(listen, service.cluster_ip, port.port, f"Service {service.key}")


def check(pods: Iterable[PodState]) -> None:
    """Refuse Pods of which two want one port of the host; the error names both."""
    accepted: list[Forward] = []
    for forward in of_pods(pods):
        for other in accepted:
            if collide(forward.listen, other.listen):
                raise RefusedError(
                    f"hostPort {forward.listen} is also that of {other.owner}",
                    where=forward.owner,
                    fix="give one of them another hostPort or hostIP",
                )
        accepted.append(forward)


def collide(one: Listen, other: Listen) -> bool:
    """Whether the kernel would let only one of them be listened on."""
    if (one.protocol, one.port) != (other.protocol, other.port):
        return False
    return one.address == other.address or _EVERY in (one.address, other.address)
