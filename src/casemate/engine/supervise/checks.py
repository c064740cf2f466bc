"""The single acts behind probes and hooks: run a command, ask over HTTP, connect, ask the gRPC health service."""

from __future__ import annotations

import asyncio

import grpc.aio
import httpx

from casemate.engine.cri.client import CriClient
from casemate.errors import InputError
from casemate.model.kube.container import Container, HTTPGetAction, TCPSocketAction
from casemate.model.kube.struct import IntOrString

_SERVING = 1


async def command(client: CriClient, container_id: str, argv: tuple[str, ...], limit: float) -> bool:
    """Whether the command ends with 0 within `limit` seconds inside the container."""
    result = await client.exec_sync(container_id, argv, max(1, round(limit)))
    return result.exit_code == 0


async def http(container: Container, address: str, get: HTTPGetAction, limit: float) -> bool:
    """Whether a GET answers 200 to 399 within `limit` seconds. As the kubelet's, it verifies no certificate."""
    scheme = (get.scheme or "HTTP").lower()
    path = get.path or "/"
    url = f"{scheme}://{get.host or address}:{port_of(container, get.port)}{path if path[0] == '/' else '/' + path}"
    headers = [("User-Agent", "kube-probe/1.36"), ("Accept", "*/*")]
    headers += [(each.name, each.value) for each in get.httpHeaders]
    try:
        async with httpx.AsyncClient(verify=False, timeout=limit, trust_env=False) as client:  # noqa: S501
            answer = await client.get(url, headers=headers, follow_redirects=True)
    except httpx.HTTPError as error:
        raise OSError(str(error)) from error
    return 200 <= answer.status_code < 400


async def tcp(container: Container, address: str, target: TCPSocketAction, limit: float) -> bool:
    """Whether a connection opens within `limit` seconds."""
    connection = asyncio.open_connection(target.host or address, port_of(container, target.port))
    _, writer = await asyncio.wait_for(connection, limit)
    writer.close()
    return True


async def grpc_health(address: str, port: int, service: str, limit: float) -> bool:
    """Whether `grpc.health.v1.Health/Check` answers SERVING within `limit` seconds."""
    request = _health_check_request(service)
    async with grpc.aio.insecure_channel(f"{address}:{port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
        try:
            answer: bytes = await check(request, timeout=limit)
        except grpc.aio.AioRpcError as error:
            raise OSError(error.details()) from error
    # HealthCheckResponse has one field, `status` (number 1, varint).
    return len(answer) >= 2 and answer[0] == 0x08 and answer[1] == _SERVING


def _health_check_request(service: str) -> bytes:
    """A `HealthCheckRequest`: field 1, a length and the service's name; empty asks for the whole server."""
    name = service.encode()[:127]
    return b"\x0a" + bytes([len(name)]) + name if name else b""


def port_of(container: Container, port: IntOrString) -> int:
    """The number of a port given by number or by the name of one of the container's ports."""
    if isinstance(port, int):
        return port
    for each in container.ports:
        if each.name == port:
            return each.containerPort
    if port.isdigit():
        return int(port)
    raise InputError(f"container {container.name} has no port named {port!r}")
