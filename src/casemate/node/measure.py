"""Start Pods under a handler, to see that it works and what it costs beyond the default handler.

Rules:

1. A Pod is a sandbox and one container of the sandbox image, on the Pod network: what every node has. As a kubelet has
   it, processes see their container's alone, and the image is told by name (CRI-O takes none without). It asks for
   nothing else, and is removed whatever happens; so are those of a measurement that was killed.
2. Memory is what belongs to the processes of the Pod (the shim, and what it started): the proportional share of their
   anonymous and shared memory (Pss_Anon and Pss_Shmem, proc(5)), in which a sandbox's or a guest's memory is. Pages of
   programs do not count: the kernel can drop them, and what share of them is a Pod's depends on how many others run. A
   Pod's processes are those that name its sandbox or its container among their arguments, and their descendants: CRI-O
   runs none for most sandboxes. It is read when it has been the same, to 2 %, for half a second.
3. Several Pods run at once, as they do on a node, and the median counts. Overhead is the difference to as many Pods of
   the default handler; less than 1 MiB of it is noise.
4. Start is the time from the request to a running container.
5. When no Pod starts under the default handler either, nothing is known about the other one: that is not its failure.
6. A kubelet ends sandboxes that are none of its Pods', every two seconds. So where Pods fail or vanish, single ones are
   tried again: a handler that works has one that is left alone for long enough.
7. Every container has a log of its own. Of one without, a kubelet that cleans up removes `*` in its working directory,
   which is /: it takes the log's path and what begins so (ContainerLogManager.Clean).
"""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.errors import CasemateError, RuntimeFault
from casemate.model.node_plan import Measured

LABEL: Final = "casemate.dev/trial"
TRIES: Final = 3
_LOGS: Final = Path("/run/casemate/trials")
_AGAIN: Final = 8
_LIMIT: Final = 120.0
_SETTLE: Final = 8.0
_PAUSE: Final = 0.25
_SAME: Final = 0.02


@dataclass(frozen=True)
class Cost:
    """One Pod: bytes, and seconds until its container ran."""

    memory: int
    seconds: float


@dataclass(frozen=True)
class Trial:
    """What became of the Pods under one handler; `reason` is why one did not start."""

    costs: tuple[Cost, ...] = ()
    reason: str = ""

    @property
    def works(self) -> bool:
        """Whether all started."""
        return bool(self.costs) and not self.reason

    @property
    def memory(self) -> int:
        """The median in bytes."""
        return round(median(each.memory for each in self.costs)) if self.costs else 0

    @property
    def seconds(self) -> float:
        """The median start."""
        return round(median(each.seconds for each in self.costs), 3) if self.costs else 0.0


def measure(socket: str, handlers: Iterable[str], default: str, image: str, tries: int = TRIES) -> tuple[Measured, ...]:
    """What each handler costs beyond the default one. Raises what the connection does; a handler's failure is told."""
    return asyncio.run(_measure(socket, tuple(handlers), default, image, tries))


def of_trials(handler: str, tried: Trial, default: Trial) -> Measured:
    """The difference of two handlers' Pods (rules 3 and 5)."""
    reason = tried.reason
    if reason and not default.works:
        reason = f"no Pod starts on this node, under no handler: {default.reason or reason}"
    return Measured(
        handler=handler,
        memory=tried.memory,
        start_seconds=tried.seconds,
        default_memory=default.memory,
        default_start_seconds=default.seconds,
        tries=len(tried.costs),
        reason=reason,
    )


async def _measure(
    socket: str, handlers: tuple[str, ...], default: str, image: str, tries: int
) -> tuple[Measured, ...]:
    async with CriClient(socket) as client:
        await _remove_all(client)
        trials = {handler: await _trial(client, handler, image, tries) for handler in (default, *handlers)}
        return tuple(of_trials(each, trials[each], trials[default]) for each in handlers)


async def _trial(client: CriClient, handler: str, image: str, tries: int) -> Trial:
    """Start Pods and read what each needs, then remove them whatever happened."""
    try:
        async with asyncio.timeout(_LIMIT * tries):
            return await _undisturbed(client, handler, image, tries)
    except TimeoutError:
        return Trial(reason=f"no running container within {_LIMIT:g} s")
    finally:
        await asyncio.shield(_remove_all(client))


async def _undisturbed(client: CriClient, handler: str, image: str, tries: int) -> Trial:
    """All at once, else one at a time (rule 6)."""
    found = await _together(client, handler, image, tries)
    for _ in range(_AGAIN):
        if found.works:
            break
        await _remove_all(client)
        found = await _together(client, handler, image, 1)
    return found


async def _together(client: CriClient, handler: str, image: str, count: int) -> Trial:
    """Start Pods one after another, and read what each needs when all run."""
    started: list[tuple[tuple[str, str], float]] = []
    try:
        while len(started) < count:
            begun = time.monotonic()
            ids = await _pod(client, handler, image)
            started.append((ids, time.monotonic() - begun))
        return Trial(tuple([Cost(await _settled(ids), seconds) for ids, seconds in started]))
    except CasemateError as error:
        return Trial(reason=error.what)


async def _pod(client: CriClient, handler: str, image: str) -> tuple[str, str]:
    """Start a Pod with one container; the ids of its sandbox and of the container."""
    uid = str(uuid.uuid4())
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=f"trial-{handler}", namespace="casemate-system", uid=uid),
        log_directory=str(_LOGS / uid),
        labels={LABEL: handler},
    )
    config.linux.security_context.namespace_options.pid = pb.CONTAINER
    await asyncio.to_thread((_LOGS / uid).mkdir, parents=True)
    sandbox = await client.run_pod_sandbox(config, handler)
    container = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name="trial"),
        image=pb.ImageSpec(image=image, user_specified_image=image),
        log_path="trial.log",
    )
    container.linux.security_context.namespace_options.pid = pb.CONTAINER
    made = await client.create_container(sandbox, container, config)
    await client.start_container(made)
    return sandbox, made


async def _remove_all(client: CriClient) -> None:
    """Remove every trial's sandbox; again where that fails, as a kubelet may remove the same one meanwhile (rule 6)."""
    for left in reversed(range(_AGAIN)):
        try:
            await _remove_found(client)
            break
        except CasemateError:
            if not left:
                raise
            await asyncio.sleep(_PAUSE)
    await asyncio.to_thread(shutil.rmtree, _LOGS, ignore_errors=True)


async def _remove_found(client: CriClient) -> None:
    for each in await client.pod_sandboxes():
        if LABEL in each.labels:
            await client.end_pod_sandbox(each.id)


async def _settled(ids: tuple[str, str]) -> int:
    """The Pod's memory when it no longer changes (rule 2), or after eight seconds. `RuntimeFault` when it vanished."""
    ends, same, last = time.monotonic() + _SETTLE, 0, 0
    while time.monotonic() < ends and same < 2:
        await asyncio.sleep(_PAUSE)
        found = await asyncio.to_thread(memory, ids)
        if not found:
            raise RuntimeFault("its processes ended while it was measured")
        same = same + 1 if last and abs(found - last) <= last * _SAME else 0
        last = found
    return last


def memory(ids: Collection[str]) -> int:
    """Bytes that belong to all processes of a Pod (rule 2)."""
    return sum(_own(pid) for pid in processes(ids))


def processes(ids: Collection[str], proc: Path = Path("/proc")) -> set[int]:
    """Ids of the processes of a Pod, by the ids of its sandbox and containers."""
    parents: dict[int, int] = {}
    named: set[int] = set()
    for folder in proc.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        if any(each.encode() in arguments for each in ids):
            named.add(int(folder.name))
    return {pid for pid in parents if named & set(_ancestors(pid, parents))}


def _ancestors(pid: int, parents: Mapping[int, int]) -> Iterable[int]:
    """A process, its parent, and so on."""
    while pid:
        yield pid
        pid = parents.get(pid, 0)


def _own(pid: int) -> int:
    """Bytes that belong to a process. Kernels before 5.3 tell no parts, and all counts there."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    found = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss")}
    return found["Pss_Anon"] + found.get("Pss_Shmem", 0) if "Pss_Anon" in found else found.get("Pss", 0)
