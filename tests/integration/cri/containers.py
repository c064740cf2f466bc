"""A containerd for CRI's tests, without network plugins, and what runs on it: sandboxes are on the host's network."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
from recipes import PLAIN
from recipes import busybox as busybox_files

from casemate.engine.containerd import config, namespace, process
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri import pull
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.images import build
from casemate.images.reference import parse

BUSYBOX = "casemate.local/busybox:1"
PAUSE = build.Settings(command=("sleep", "2147483647"), environment={"PATH": "/bin"})
RUNTIMES = (config.RuntimeTable("runc"), config.RuntimeTable("crun", options={"BinaryName": "/usr/bin/crun"}))

numbers = itertools.count()


@contextmanager
def running_containerd(paths: EnginePaths, folder: Path) -> Iterator[EnginePaths]:
    """A containerd for `paths` with the images pause and busybox, made in `folder`; nothing of it stays."""
    written = config.ContainerdConfig(paths, RUNTIMES, "runc", Path("/usr/lib/cni"), can_lower_oom_score=False)
    config.cni_folder(paths).mkdir(parents=True, exist_ok=True)
    try:
        process.start(paths, config.render(process.version(process.binary()), written))
        paths.settings.write_bytes(msgspec.json.encode(_settings(paths)))
        asyncio.run(_bring_images(paths, folder))
        yield paths
        asyncio.run(_remove_sandboxes(paths))
    finally:
        process.stop(paths)
        namespace.delete(paths)
        shutil.rmtree(paths.state, ignore_errors=True)
        shutil.rmtree(paths.root, ignore_errors=True)


def _settings(paths: EnginePaths) -> EngineSettings:
    return EngineSettings(
        name=paths.name,
        cri_socket=str(paths.socket),
        pod_network="10.250.0.0/16",
        service_network="10.251.0.0/16",
        router_network="10.252.0.0/24",
        dns_address="10.252.0.2",
    )


async def _bring_images(paths: EnginePaths, folder: Path) -> None:
    async with CriClient(str(paths.socket)) as client:
        for text, settings in ((config.PAUSE_IMAGE, PAUSE), (BUSYBOX, PLAIN)):
            name, output = parse(text), folder / f"{parse(text).repository}.tar"
            build.write(output, name, busybox_files(), settings)
            await pull.bring(client, output, name)


async def _remove_sandboxes(paths: EnginePaths) -> None:
    async with CriClient(str(paths.socket)) as client:
        for sandbox in await client.pod_sandboxes():
            await client.stop_pod_sandbox(sandbox.id)
            await client.remove_pod_sandbox(sandbox.id)


@asynccontextmanager
async def started_sandbox(
    client: CriClient, paths: EnginePaths, name: str = "", handler: str = "runc"
) -> AsyncIterator[tuple[str, pb.PodSandboxConfig]]:
    """A sandbox with a kubelet's labels; removed at the end."""
    number = next(numbers)
    name = name or f"pod-{number}"
    labels = {
        "io.kubernetes.pod.name": name,
        "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": f"uid-{number}",
        "casemate.dev/run": "test",
        "casemate.dev/engine": paths.name,
    }
    host = pb.NamespaceOption(network=pb.NODE, pid=pb.CONTAINER)
    security = pb.LinuxSandboxSecurityContext(namespace_options=host)
    sandbox_config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=name, namespace="default", uid=f"uid-{number}"),
        log_directory=str(paths.logs / f"default_{name}_uid-{number}"),
        labels=labels,
        linux=pb.LinuxPodSandboxConfig(security_context=security),
    )
    sandbox = await client.run_pod_sandbox(sandbox_config, handler)
    try:
        yield sandbox, sandbox_config
    finally:
        await client.stop_pod_sandbox(sandbox)
        await client.remove_pod_sandbox(sandbox)


async def started_container(
    client: CriClient,
    sandbox: tuple[str, pb.PodSandboxConfig],
    command: list[str],
    name: str = "main",
    attempt: int = 0,
    image: str = BUSYBOX,
) -> str:
    """A running container of busybox in that sandbox."""
    sandbox_id, sandbox_config = sandbox
    await asyncio.to_thread(os.makedirs, f"{sandbox_config.log_directory}/{name}", exist_ok=True)
    host = pb.NamespaceOption(network=pb.NODE, pid=pb.CONTAINER)
    container_config = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=name, attempt=attempt),
        image=pb.ImageSpec(image=image),
        command=command,
        labels={**sandbox_config.labels, "io.kubernetes.container.name": name},
        log_path=f"{name}/{attempt}.log",
        linux=pb.LinuxContainerConfig(
            security_context=pb.LinuxContainerSecurityContext(namespace_options=host),
        ),
    )
    container = await client.create_container(sandbox_id, container_config, sandbox_config)
    await client.start_container(container)
    return container


def command_line(*arguments: str, engine: EnginePaths) -> list[str]:
    """The command line of casemate on that engine."""
    return [
        sys.executable,
        "-c",
        "from casemate.cli.main import main; main()",
        *arguments[:1],
        "--engine",
        engine.name,
        *arguments[1:],
    ]


def casemate_on(engine: EnginePaths, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs casemate on that engine to its end."""
    return subprocess.run(
        command_line(*arguments, engine=engine), input=stdin, capture_output=True, timeout=60, check=False
    )
