"""Sandboxes that are made to be proven, through CRI.

1. Each bears a label, so that whoever comes next finds what a killed proof has left, and removes it first. One proof at
   a time works on an engine (`alone`).
2. A prober asks for what a default Pod gets from a kubelet: seccomp RuntimeDefault, the runtime's default capabilities,
   no privilege, kernel files masked or read-only, processes of its own. It is root in there, whatever the image says.
3. A command inside is run through CRI's streams, which tell when it has begun and let it wait.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from casemate.engine import cgroup, logs, node
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri import stream
from casemate.engine.cri.client import CriClient
from casemate.engine.translate.security import READ_ONLY_PATHS, masked_paths
from casemate.errors import CasemateError, IncompleteError, RuntimeFault
from casemate.prove.image import Prober

PROOF_LABEL = "casemate.dev/proof"
"""Marks sandboxes that are only made to be proven; its value is the engine's name."""

ANSWER_SECONDS = 15.0
"""How long a prober may take to answer."""

_POLL_SECONDS = 0.004
_OTHERS_SECONDS = 0.3


@dataclass(frozen=True)
class Place:
    """Where sandboxes are made: the engine's name and socket, a folder for logs and locks, the cgroup driver.

    `kept` is the file of proofs that hold, `configuration` the engine's own file, `runs` the folder with the API
    objects of an engine of ours.
    """

    name: str
    socket: str
    folder: Path
    systemd: bool
    kept: Path
    configuration: Path
    runs: Path | None = None


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that was started for a proof."""

    id: str
    uid: str
    handler: str
    config: pb.PodSandboxConfig

    def log(self, container: str) -> Path:
        """Where the engine writes what a container says."""
        return Path(self.config.log_directory) / f"{container}.log"


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """One proof at a time on an engine."""
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def start(client: CriClient, handler: str, place: Place) -> Sandbox:
    """Start a sandbox under `handler`; `remove` ends it."""
    uid = str(uuid.uuid4())
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=f"proof-{handler or 'default'}", namespace="casemate-system", uid=uid),
        log_directory=str(place.folder / uid),
        labels={PROOF_LABEL: place.name},
    )
    await asyncio.to_thread(
        Path(config.log_directory).mkdir, parents=True
    )  # what tells of it from here on, whatever becomes of us
    config.linux.security_context.namespace_options.pid = pb.CONTAINER
    config.linux.cgroup_parent = cgroup.pod_cgroup_path(place.name, uid, systemd=place.systemd)
    return Sandbox(await client.run_pod_sandbox(config, handler), uid, handler, config)


async def run(client: CriClient, where: Sandbox, name: str, prober: Prober, command: Sequence[str]) -> str:
    """Start a container of that name in the sandbox; its id. Raises `RuntimeFault` when the runtime refuses."""
    config = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=name),
        image=pb.ImageSpec(image=prober.image, user_specified_image=prober.image),
        command=command,
        log_path=f"{name}.log",
        labels={PROOF_LABEL: where.uid},
    )
    for inside, file in prober.mounted.items():
        config.mounts.add(container_path=inside, host_path=str(file), readonly=True, selinux_relabel=True)
    security = config.linux.security_context
    security.run_as_user.value = 0
    security.namespace_options.pid = pb.CONTAINER
    security.seccomp.profile_type = pb.SecurityProfile.RuntimeDefault
    security.masked_paths.extend(masked_paths(node.gather()))
    security.readonly_paths.extend(READ_ONLY_PATHS)
    container = await client.create_container(where.id, config, where.config)
    await client.start_container(container)
    return container


async def first_line(client: CriClient, log: Path, container: str) -> bytes:
    """The first whole line that the container prints. Raises when it ends without one, or says nothing in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    looks = 0
    while time.monotonic() < deadline:
        line = whole_line(log)
        if line is not None:
            return line
        looks += 1
        if looks % 25 == 0 and (status := await client.container_status(container)).state == pb.CONTAINER_EXITED:
            raise RuntimeFault(f"the prober ended with {status.exit_code}: {status.message or status.reason}")
        await asyncio.sleep(_POLL_SECONDS)
    raise IncompleteError(f"the prober said nothing within {ANSWER_SECONDS:g} s")


def whole_line(log: Path) -> bytes | None:
    """The first whole line in a container's log; None while there is none."""
    text = b""
    with suppress(FileNotFoundError), log.open("rb") as lines:
        for each in lines:
            entry = logs.parse(each)
            if each.endswith(b"\n") and entry.stream == "stdout":
                text += entry.text
                if entry.whole:
                    return text
    return None


@asynccontextmanager
async def command(client: CriClient, container: str, arguments: Sequence[str]) -> AsyncIterator[bytes]:
    """What a command inside says first, while it waits for the end of this block. Raises when it is refused."""
    url = await client.exec_url(container, arguments, stdin=True, tty=False)
    async with stream.connect(url, stdin=True, tty=False) as session:
        yield await asyncio.wait_for(_first_said(session), ANSWER_SECONDS)
        await session.end_stdin()


async def _first_said(session: stream.Session) -> bytes:
    said = b""
    async for output in session.output():
        said += output.data
        if b"\n" in said:
            return said.partition(b"\n")[0]
    raise RuntimeFault(f"a command inside says nothing, and ends with {session.exit_code}")


async def remove(client: CriClient, where: Sandbox, place: Place) -> None:
    """End the sandbox with all that belongs to it, while a kubelet may be doing the same."""
    for last in (False, False, True):
        try:
            await client.end_pod_sandbox(where.id)
            break
        except CasemateError:
            if last:
                raise
            await asyncio.sleep(_OTHERS_SECONDS)
    await asyncio.to_thread(_clear, where.uid, place)


async def remove_all(client: CriClient, place: Place) -> bool:
    """Remove what proofs have left that were killed (rule 1); whether there was anything."""
    found = await client.pod_sandboxes({PROOF_LABEL: place.name})
    for each in found:
        with suppress(CasemateError):
            await client.end_pod_sandbox(each.id)
            await asyncio.to_thread(_clear, each.metadata.uid, place)
    folders = [each for each in place.folder.iterdir() if each.is_dir()]  # of those that were never made whole
    for folder in folders:
        await asyncio.to_thread(_clear, folder.name, place)
    return bool(found or folders)


def _clear(uid: str, place: Place) -> None:
    cgroup.remove(cgroup.pod_cgroup_path(place.name, uid, systemd=place.systemd))
    shutil.rmtree(place.folder / uid, ignore_errors=True)
