"""The engine's handlers, as really tried.

Rules:

1. A handler works when a sandbox starts under it and a container in it runs; anything else is `reason`.
2. A Wasm handler works when a module runs to its end, and a native program is refused: one that runs it is no sandbox.
3. One handler's failure says nothing about another's: all are tried, and each is cleaned up.
4. The boundary is that of the catalogue for the runtime that was found; of an unknown one it is unknown.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from casemate.catalogue.runtimes import Catalogue
from casemate.engine import cgroup
from casemate.engine.containerd.config import PAUSE_IMAGE
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.install.found import FoundRuntime, program_version
from casemate.engine.paths import EnginePaths
from casemate.engine.pause import PAUSE_COMMAND, WASM_COMMAND
from casemate.errors import CasemateError, RuntimeFault
from casemate.model.handler import Handler

CHECK_SECONDS = 60.0
"""How long one handler may take to start its sandbox and container."""

CHECK_LABEL = "casemate.dev/check"
"""Marks sandboxes that only try a handler; its value is the engine's name."""

_WASM = "casemate-wasm"
_MODULE_SECONDS = 20.0
_RUNNING, _EXITED = 1, 2


@dataclass(frozen=True)
class Candidate:
    """A handler to try: the catalogue's id for its runtime, and its program where we know it."""

    name: str
    runtime: str
    version: str = ""
    path: str = ""


def candidates(found: Iterable[FoundRuntime]) -> tuple[Candidate, ...]:
    """What the machine's runtimes offer."""
    return tuple(
        Candidate(each.table.handler, each.runtime, program_version(each.program), str(each.program)) for each in found
    )


def offered(status: pb.StatusResponse, catalogue: Catalogue) -> tuple[Candidate, ...]:
    """The handlers of an engine that was there before us, from its verbose CRI status.

    containerd 2.x lists them in the status, 1.x has them in its configuration, which `info` carries as JSON.
    """
    listed = {each.name for each in status.runtime_handlers if each.name}
    names = listed or _configured(status.info.get("config", "{}"))
    runtimes = {name: catalogue.of_handler(name) for name in sorted(names)}
    return tuple(Candidate(name, row.id if row else name) for name, row in runtimes.items())


def default_of(status: pb.StatusResponse) -> str:
    """The handler that an engine uses when none is asked for; empty when it does not tell."""
    config = _decode(status.info.get("config", "{}"))
    return config.containerd.defaultRuntimeName


async def check(
    client: CriClient, tried: Sequence[Candidate], catalogue: Catalogue, paths: EnginePaths
) -> tuple[Handler, ...]:
    """Try every candidate on the running engine, one after another so that start times compare."""
    await _remove_sandboxes(client, paths)  # of a check that was killed
    return tuple([await _check(client, each, catalogue, paths) for each in tried])


async def _check(client: CriClient, tried: Candidate, catalogue: Catalogue, paths: EnginePaths) -> Handler:
    reason, seconds = "", None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            seconds = await _try(client, tried, paths)
    except TimeoutError:
        reason = f"no running container within {CHECK_SECONDS:g} s"
    except CasemateError as error:
        reason = error.what
    row = catalogue.of_handler(tried.name)
    return Handler(
        name=tried.name,
        runtime=tried.runtime,
        version=tried.version,
        path=tried.path,
        boundary=row.boundary if row else catalogue.boundary_of_handler(tried.name),
        works=not reason,
        reason=reason,
        start_seconds=seconds,
    )


async def _try(client: CriClient, tried: Candidate, paths: EnginePaths) -> float:
    begun = time.monotonic()
    async with _sandbox(client, tried.name, paths) as (sandbox_id, config):
        if tried.runtime != _WASM:
            await _run(client, sandbox_id, config, PAUSE_COMMAND)
            return round(time.monotonic() - begun, 3)
        container = await _run(client, sandbox_id, config, WASM_COMMAND)
        seconds = round(time.monotonic() - begun, 3)
        await _ends_well(client, container)
        await _refuses_native(client, sandbox_id, config)
        return seconds


@asynccontextmanager
async def _sandbox(
    client: CriClient, handler: str, paths: EnginePaths
) -> AsyncIterator[tuple[str, pb.PodSandboxConfig]]:
    config = _sandbox_config(handler, paths)
    try:
        yield await client.run_pod_sandbox(config, handler), config
    finally:
        await asyncio.shield(_remove(client, config, paths))


async def _remove(client: CriClient, config: pb.PodSandboxConfig, paths: EnginePaths) -> None:
    await _remove_sandboxes(client, paths)
    await asyncio.to_thread(cgroup.remove, config.linux.cgroup_parent)
    await asyncio.to_thread(shutil.rmtree, config.log_directory, ignore_errors=True)


async def _remove_sandboxes(client: CriClient, paths: EnginePaths) -> None:
    for each in await client.pod_sandboxes({CHECK_LABEL: paths.name}):
        await client.stop_pod_sandbox(each.id)
        await client.remove_pod_sandbox(each.id)


def _sandbox_config(handler: str, paths: EnginePaths) -> pb.PodSandboxConfig:
    uid = str(uuid.uuid4())
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=f"check-{handler}", namespace="casemate-system", uid=uid),
        log_directory=str(paths.logs / f"check-{uid}"),
        labels={CHECK_LABEL: paths.name},
    )
    config.linux.cgroup_parent = cgroup.pod_cgroup_path(paths.name, uid)
    return config


async def _run(client: CriClient, sandbox_id: str, sandbox: pb.PodSandboxConfig, command: Sequence[str]) -> str:
    config = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=command[0].strip("/").replace(".", "-")),
        image=pb.ImageSpec(image=PAUSE_IMAGE),
        command=command,
        log_path="check.log",
    )
    container = await client.create_container(sandbox_id, config, sandbox)
    await client.start_container(container)
    return container


async def _ends_well(client: CriClient, container: str) -> None:
    deadline = time.monotonic() + _MODULE_SECONDS
    while time.monotonic() < deadline:
        status = await client.container_status(container)
        if status.state == _EXITED:
            if status.exit_code:
                raise RuntimeFault(f"an empty module ended with {status.exit_code}: {status.message}")
            return
        await asyncio.sleep(0.02)
    raise RuntimeFault(f"an empty module did not end within {_MODULE_SECONDS:g} s")


async def _refuses_native(client: CriClient, sandbox_id: str, sandbox: pb.PodSandboxConfig) -> None:
    try:
        await _run(client, sandbox_id, sandbox, PAUSE_COMMAND)
    except RuntimeFault:
        return
    raise RuntimeFault("it runs native programs: no Wasm boundary")


class _Containerd(msgspec.Struct):
    defaultRuntimeName: str = ""  # noqa: N815 - containerd's own name
    runtimes: dict[str, object] = {}


class _Config(msgspec.Struct):
    containerd: _Containerd = msgspec.field(default_factory=_Containerd)


def _configured(config: str) -> set[str]:
    return set(_decode(config).containerd.runtimes)


def _decode(config: str) -> _Config:
    try:
        return msgspec.convert(json.loads(config), _Config)
    except (ValueError, msgspec.ValidationError):
        return _Config()
