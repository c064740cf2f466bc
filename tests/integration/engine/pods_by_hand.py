"""Pods made by raw CRI calls, as bare as they can be: what is tested is the engine, not what translates to it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from casemate.engine import cgroup
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths

EXITED = 2


@dataclass(frozen=True)
class Pod:
    """A sandbox, and the client to work with it."""

    client: CriClient
    sandbox_id: str
    config: pb.PodSandboxConfig

    async def start(
        self,
        image: str,
        *command: str,
        annotations: Mapping[str, str] | None = None,
        mounts: Sequence[pb.Mount] = (),
        memory: int = 0,
        read_only: bool = False,
    ) -> str:
        """Start a container; its id."""
        config = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=f"c{uuid.uuid4().hex[:6]}"),
            image=pb.ImageSpec(image=image),
            command=command,
            annotations=annotations or {},
            mounts=mounts,
        )
        config.log_path = f"{config.metadata.name}.log"
        config.linux.resources.memory_limit_in_bytes = memory
        config.linux.security_context.readonly_rootfs = read_only
        container = await self.client.create_container(self.sandbox_id, config, self.config)
        await self.client.start_container(container)
        return container

    async def end(self, container: str, seconds: float = 30) -> pb.ContainerStatus:
        """The container's status once it has ended."""
        deadline = time.monotonic() + seconds
        while (status := await self.client.container_status(container)).state != EXITED:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        return status

    async def said(self, container: str) -> str:
        """What the container wrote, stripped of times and streams."""
        path = Path((await self.client.container_status(container)).log_path)
        return "\n".join(line.split(" ", 3)[3] for line in path.read_text().splitlines())  # noqa: ASYNC240

    async def run(self, image: str, *command: str, **settings: object) -> tuple[int, str]:
        """Exit code and output of a container that is run to its end."""
        container = await self.start(image, *command, **settings)  # type: ignore[arg-type]
        status = await self.end(container)
        return status.exit_code, await self.said(container)

    async def address(self) -> str:
        """The Pod's IP."""
        return (await self.client.pod_sandbox_status(self.sandbox_id)).status.network.ip


@asynccontextmanager
async def pod(paths: EnginePaths, handler: str, *, share_processes: bool = False) -> AsyncIterator[Pod]:
    """A Pod under that handler, removed at the end."""
    uid = str(uuid.uuid4())
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=f"pod-{uid[:8]}", uid=uid, namespace="default"),
        log_directory=str(paths.logs / uid),
    )
    config.linux.cgroup_parent = cgroup.pod_cgroup_path(paths.name, uid)
    if not share_processes:
        config.linux.security_context.namespace_options.pid = pb.CONTAINER
    async with CriClient(str(paths.socket)) as client:
        sandbox_id = await client.run_pod_sandbox(config, handler)
        try:
            yield Pod(client, sandbox_id, config)
        finally:
            await client.stop_pod_sandbox(sandbox_id)
            await client.remove_pod_sandbox(sandbox_id)
