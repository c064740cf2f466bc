"""The environment variables that name a namespace's Services, as a kubelet gives them to a new Pod.

For `web` with port 80 called `http`: WEB_SERVICE_HOST, WEB_SERVICE_PORT, WEB_SERVICE_PORT_HTTP, WEB_PORT,
WEB_PORT_80_TCP, WEB_PORT_80_TCP_PROTO, WEB_PORT_80_TCP_PORT, WEB_PORT_80_TCP_ADDR. Headless Services have none.

Source: kubernetes/kubernetes pkg/kubelet/envvars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from casemate.engine.network.services import PortRules, ServiceRules


def environment(services: Iterable[ServiceRules], namespace: str) -> dict[str, str]:
    """The variables for Pods of `namespace`."""
    variables: dict[str, str] = {}
    for service in services:
        if service.cluster_ip and service.ports and service.key.namespace == namespace:
            variables |= dict(_of_service(service))
    return variables


def _of_service(service: ServiceRules) -> Iterator[tuple[str, str]]:
    prefix, first = _variable(service.key.name), service.ports[0]
    yield f"{prefix}_SERVICE_HOST", service.cluster_ip
    yield f"{prefix}_SERVICE_PORT", str(first.port)
    for port in service.ports:
        if port.name:
            yield f"{prefix}_SERVICE_PORT_{_variable(port.name)}", str(port.port)
    yield f"{prefix}_PORT", _url(service, first)
    for port in service.ports:
        yield from _of_port(prefix, service, port)


def _of_port(prefix: str, service: ServiceRules, port: PortRules) -> Iterator[tuple[str, str]]:
    name = f"{prefix}_PORT_{port.port}_{port.protocol}"
    yield name, _url(service, port)
    yield f"{name}_PROTO", port.protocol.lower()
    yield f"{name}_PORT", str(port.port)
    yield f"{name}_ADDR", service.cluster_ip


def _url(service: ServiceRules, port: PortRules) -> str:
    return f"{port.protocol.lower()}://{service.cluster_ip}:{port.port}"


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
