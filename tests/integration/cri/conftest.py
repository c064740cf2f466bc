"""A containerd of its own for CRI's tests."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from containers import numbers, running_containerd, started_container, started_sandbox

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnginePaths]:
    """A running containerd with the images pause and busybox."""
    paths = EnginePaths(f"cri-{os.getpid()}")
    with running_containerd(paths, tmp_path_factory.mktemp("images")):
        yield paths


Work = Callable[[CriClient, tuple[str, pb.PodSandboxConfig]], Awaitable[None]]


@pytest.fixture
def in_sandbox(node: EnginePaths) -> Callable[[Work], None]:
    """Runs a coroutine with a client and a fresh sandbox."""

    def run(work: Work) -> None:
        async def all_of_it() -> None:
            async with CriClient(str(node.socket)) as client, started_sandbox(client, node) as sandbox:
                await work(client, sandbox)

        asyncio.run(all_of_it())

    return run


@pytest.fixture(scope="module")
def pod(node: EnginePaths) -> Iterator[str]:
    """The name of a Pod with the container `main`, which sleeps, and `second`, which wrote two lines."""
    name = f"cli-{next(numbers)}"

    async def start() -> None:
        async with CriClient(str(node.socket)) as client:
            manager = started_sandbox(client, node, name)
            sandbox = await manager.__aenter__()
            await started_container(client, sandbox, ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"])
            await started_container(client, sandbox, ["sh", "-c", "echo one; echo two >&2; sleep 1000"], "second")

    asyncio.run(start())
    yield name
    asyncio.run(_remove(node, name))


async def _remove(node: EnginePaths, name: str) -> None:
    async with CriClient(str(node.socket)) as client:
        for sandbox in await client.pod_sandboxes({"io.kubernetes.pod.name": name}):
            await client.stop_pod_sandbox(sandbox.id)
            await client.remove_pod_sandbox(sandbox.id)
