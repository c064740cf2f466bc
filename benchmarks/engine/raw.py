"""The baseline: CRI calls and nothing else."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

from benchmarks.engine.pods import configurations
from casemate.engine import cgroup
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.model.handler import NodeFacts


async def start_seconds(
    count: int, handler: str, in_flight: int, paths: EnginePaths, settings: EngineSettings, node: NodeFacts
) -> float:
    """Seconds until the last of the Pods runs. They are gone again when this returns."""
    made = configurations(count, handler, paths, settings, node)
    sandboxes: list[str] = []

    async with CriClient(settings.cri_socket) as client:

        async def start(sandbox: pb.PodSandboxConfig, container: pb.ContainerConfig) -> None:
            identity = await client.run_pod_sandbox(sandbox, handler)
            sandboxes.append(identity)
            await client.start_container(await client.create_container(identity, container, sandbox))

        async def remove(identity: str) -> None:
            await client.stop_pod_sandbox(identity)
            await client.remove_pod_sandbox(identity)

        await client.version()
        try:
            began = time.monotonic()
            await at_most(in_flight, [partial(start, *pair) for pair in made])
            return time.monotonic() - began
        finally:
            await at_most(4, [partial(remove, each) for each in sandboxes])
            tidy(sandbox for sandbox, _ in made)


async def at_most(limit: int, calls: list[Callable[[], Awaitable[None]]]) -> None:
    """Make the calls, that many at a time."""
    gate = asyncio.Semaphore(limit)

    async def one(call: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await call()

    await asyncio.gather(*map(one, calls))


def tidy(sandboxes: Iterable[pb.PodSandboxConfig]) -> None:
    """Remove the cgroups and log folders that the calls left."""
    for sandbox in sandboxes:
        cgroup.remove(sandbox.linux.cgroup_parent)
        shutil.rmtree(Path(sandbox.log_directory), ignore_errors=True)
