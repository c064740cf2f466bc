"""What a Service means at this moment: its address, its ports, and the Pods behind each.

1. A Pod backs a Service when it is in the same namespace, has every label of the selector, has an address, and is ready
   (or the Service publishes addresses that are not ready). An empty selector selects nothing: Endpoints objects, by
   which a cluster fills such Services, are not among the inputs.
2. `targetPort` is a number, or the name of a port of the container with the same protocol, looked up in each Pod; unset
   it is `port`. A Pod without that name has no endpoint for that port.
3. `clusterIP: None` makes a Service headless: names only, no address. ExternalName is a name only.
4. `sessionAffinity: ClientIP` keeps a client's address on one endpoint, three hours unless set.
5. NodePort and LoadBalancer are ClusterIP with a port of the host (see `hostports`); no load balancer is made.

Source: kubernetes/kubernetes pkg/controller/endpointslice and staging/src/k8s.io/endpointslice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from casemate.model.kube.container import ContainerPort
from casemate.model.kube.objects import Service, ServicePort, ServiceSpec

_AFFINITY_SECONDS = 10800


class ServiceKey(NamedTuple):
    """Which Service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class PodState:
    """A Pod as the network sees it. `ip` is empty until it has one; `ports` are those of all its containers."""

    namespace: str
    name: str
    ip: str = ""
    ready: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    hostname: str = ""
    subdomain: str = ""
    ports: tuple[ContainerPort, ...] = ()
    host_network: bool = False


@dataclass(frozen=True)
class Backend:
    """A Pod behind a Service; `hostname` is set when the Pod has a name of its own under the Service's."""

    ip: str
    hostname: str = ""


@dataclass(frozen=True)
class Endpoint:
    """Where one connection may end."""

    backend: Backend
    port: int


@dataclass(frozen=True)
class PortRules:
    """One port of a Service. `node_port` is 0 when the Service has none."""

    name: str
    protocol: str
    port: int
    node_port: int = 0
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True)
class ServiceRules:
    """A Service as it is routed and named. `cluster_ip` is empty for headless and ExternalName Services.

    `affinity_seconds` is 0 without session affinity.
    """

    key: ServiceKey
    cluster_ip: str = ""
    external_name: str = ""
    affinity_seconds: int = 0
    ports: tuple[PortRules, ...] = ()
    backends: tuple[Backend, ...] = ()


def key_of(service: Service) -> ServiceKey:
    """The Service's namespace and name."""
    metadata = service.metadata
    return ServiceKey((metadata and metadata.namespace) or "default", (metadata and metadata.name) or "")


def is_headless(spec: ServiceSpec) -> bool:
    """Whether the Service asks for no address."""
    return spec.clusterIP == "None"


def has_address(service: Service) -> bool:
    """Whether the Service gets a ClusterIP."""
    spec = service.spec or ServiceSpec()
    return spec.type != "ExternalName" and not is_headless(spec)


def resolve(
    service: Service, cluster_ip: str, pods: Sequence[PodState], node_ports: Mapping[tuple[str, str], int]
) -> ServiceRules:
    """The Service's rules, given its address (empty for none) and its node ports by protocol and port name."""
    key, spec = key_of(service), service.spec or ServiceSpec()
    if spec.type == "ExternalName":
        return ServiceRules(key, external_name=spec.externalName or "")
    chosen = tuple(pod for pod in pods if _backs(pod, key.namespace, spec))
    return ServiceRules(
        key,
        cluster_ip=cluster_ip,
        affinity_seconds=_affinity(spec),
        ports=tuple(_port(port, key, chosen, node_ports) for port in spec.ports),
        backends=tuple(_backend(pod, key) for pod in chosen),
    )


def _backs(pod: PodState, namespace: str, spec: ServiceSpec) -> bool:
    return bool(
        spec.selector
        and pod.ip
        and pod.namespace == namespace
        and (pod.ready or spec.publishNotReadyAddresses)
        and spec.selector.items() <= pod.labels.items()
    )


def _affinity(spec: ServiceSpec) -> int:
    if spec.sessionAffinity != "ClientIP":
        return 0
    client = spec.sessionAffinityConfig and spec.sessionAffinityConfig.clientIP
    return (client and client.timeoutSeconds) or _AFFINITY_SECONDS


def _port(
    port: ServicePort, key: ServiceKey, pods: Sequence[PodState], node_ports: Mapping[tuple[str, str], int]
) -> PortRules:
    return PortRules(
        name=port.name or "",
        protocol=port.protocol or "TCP",
        port=port.port,
        node_port=node_ports.get((port.protocol or "TCP", port.name or ""), 0),
        endpoints=tuple(_endpoints(port, key, pods)),
    )


def _endpoints(port: ServicePort, key: ServiceKey, pods: Sequence[PodState]) -> Iterator[Endpoint]:
    for pod in pods:
        number = _target(port, pod)
        if number:
            yield Endpoint(_backend(pod, key), number)


def _target(port: ServicePort, pod: PodState) -> int:
    match port.targetPort:
        case str() as name:
            protocol = port.protocol or "TCP"
            named = (each for each in pod.ports if each.name == name and (each.protocol or "TCP") == protocol)
            return next((each.containerPort for each in named), 0)
        case number:
            return number or port.port


def _backend(pod: PodState, key: ServiceKey) -> Backend:
    return Backend(pod.ip, pod.hostname if pod.subdomain == key.name else "")
