"""Starting and stopping an engine as a whole.

Start:

1. Settle once what must not change while Pods run (`engine.json`): addresses, the CRI socket. Later starts keep them.
2. Start the private containerd, or take the one that was named; bring in the pause image; try every handler.
3. Start the supervisor, which takes up what was running.
4. Without its mount namespace nothing of the engine can be running: the state folder is then of before a reboot (not
   every /run is emptied by one), and goes.

Stop leaves no process, mount, network namespace, interface or rule. What is worth keeping stays: images, claims,
runs that were asked for, logs.

5. The supervisor goes first, or it would start again what is being stopped.
6. Sandboxes are stopped through CRI, because only CNI knows how to undo what it did; a containerd that died is started
   once more for that.
7. Then whatever is left is found by where it is (mount namespace, cgroup), not by what was noted, and killed.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from casemate.catalogue import runtimes
from casemate.engine import cgroup, handlers, known_handlers, node, pause
from casemate.engine.containerd import config, namespace, process
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import Unsupported
from casemate.engine.install import found, tools
from casemate.engine.instance import ENGINE_LABEL
from casemate.engine.network import cleanup, cni, plan
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings, load_settings
from casemate.engine.supervise import process as supervisor
from casemate.errors import CasemateError, InputError, MissingError
from casemate.model.handler import Handler

_PREFERRED = ("runc", "crun", "youki")
_AT_ONCE = 8
_TRIES = 3
_STOP_SECONDS = 90.0


def start(paths: EnginePaths, cri: str | None = None) -> EngineSettings:
    """Start the engine, on the containerd at the socket `cri` where one is named; does nothing when it runs.

    Raises `MissingError` when something is not installed, `InputError` when the engine was first started otherwise.
    """
    settings = _settle(paths, cri)
    with _alone(paths):
        if not settings.external and not namespace.exists(paths):
            shutil.rmtree(paths.state, ignore_errors=True)
        paths.state.mkdir(mode=0o711, parents=True, exist_ok=True)
        fresh = settings.external or process.running(paths) is None
        if not settings.external:
            _start_containerd(paths, settings)
        if fresh or not paths.handlers.exists():
            known_handlers.save(paths, asyncio.run(_prepare(paths, settings)))
        supervisor.start(paths)
    return settings


def stop(paths: EnginePaths) -> None:
    """Stop the engine and everything that runs in it. Does nothing when it was never started."""
    try:
        settings = load_settings(paths)
    except MissingError:
        return
    with _alone(paths):
        supervisor.stop(paths)
        if settings.external:
            asyncio.run(_remove_sandboxes(settings.cri_socket, {ENGINE_LABEL: paths.name}))
        elif namespace.exists(paths):
            _stop_containerd(paths, settings)
        cgroup.remove_engine(paths.name, systemd=settings.systemd_cgroups)
        cleanup.remove(paths, plan.NetworkPlan.of(settings))
        shutil.rmtree(paths.state, ignore_errors=True)


@contextmanager
def _alone(paths: EnginePaths) -> Iterator[None]:
    """One start or stop of an engine at a time."""
    with (paths.root / "lifecycle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stop_containerd(paths: EnginePaths, settings: EngineSettings) -> None:
    try:
        process.start(paths)
        asyncio.run(asyncio.wait_for(_remove_sandboxes(settings.cri_socket, {}), _STOP_SECONDS))
    except (CasemateError, TimeoutError):
        pass  # what CRI could not stop, a sandbox without its monitor for example, is killed below
    process.stop(paths)
    namespace.kill_members(paths)
    namespace.delete(paths)


def _settle(paths: EnginePaths, cri: str | None) -> EngineSettings:
    try:
        settings = load_settings(paths)
    except MissingError:
        return _first_settings(paths, cri)
    if cri is not None and cri != settings.cri_socket:
        raise InputError(
            f"engine {paths.name!r} uses {settings.cri_socket}",
            where="--cri",
            fix="name another engine with --engine, or stop this one and remove " + str(paths.settings),
        )
    return settings


def _first_settings(paths: EnginePaths, cri: str | None) -> EngineSettings:
    cri = cri and process.cri_socket(cri)
    networks = plan.choose(paths.name, plan.host_networks())
    settings = EngineSettings(
        name=paths.name,
        cri_socket=cri or str(paths.socket),
        external=cri is not None,
        pod_network=str(networks.pod_network),
        service_network=str(networks.service_network),
        router_network=str(networks.router_network),
        dns_address=str(networks.dns_address),
        default_handler=asyncio.run(_default_of(cri)) if cri else _default_found(),
        systemd_cgroups=asyncio.run(leaves_cgroups_to_systemd(cri)) if cri else False,
    )
    paths.root.mkdir(mode=0o711, parents=True, exist_ok=True)
    fresh = paths.settings.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=2))
    fresh.replace(paths.settings)
    return settings


def _default_found() -> str:
    present = [name for name in _PREFERRED if tools.find(name)]
    if not present:
        raise MissingError("no low-level runtime is installed", fix="casemate engine install")
    return present[0]


async def leaves_cgroups_to_systemd(cri: str) -> bool:
    """The cgroup driver, by RuntimeConfig since containerd 2.0, before by the configuration that the status carries."""
    async with CriClient(cri) as client:
        try:
            driver = (await client.runtime_config()).linux.cgroup_driver
        except Unsupported:
            return '"SystemdCgroup":true' in (await client.status(verbose=True)).info.get("config", "")
    return bool(driver == pb.SYSTEMD)


async def _default_of(cri: str) -> str:
    async with CriClient(cri) as client:
        return handlers.default_of(await client.status(verbose=True)) or "runc"


def _start_containerd(paths: EnginePaths, settings: EngineSettings) -> None:
    plugins = tools.cni_plugins()
    if plugins is None:
        raise MissingError(
            "the CNI plugins ptp, host-local and loopback are not installed", fix="casemate engine install"
        )
    written = config.ContainerdConfig(
        paths=paths,
        runtimes=tuple(each.table for each in found.runtimes(paths)),
        default_handler=settings.default_handler,
        cni_plugins=plugins,
        can_lower_oom_score=node.gather().can_lower_oom_score,
    )
    _write_network(paths, settings)
    process.start(paths, config.render(process.version(process.binary()), written))


def _write_network(paths: EnginePaths, settings: EngineSettings) -> None:
    config.registries_folder(paths).mkdir(parents=True, exist_ok=True)
    folder = config.cni_folder(paths)
    folder.mkdir(parents=True, exist_ok=True)
    text = cni.render(plan.NetworkPlan.of(settings), paths, plan.host_mtu())
    (folder / "10-casemate.conflist").write_text(text, encoding="utf-8")


async def _prepare(paths: EnginePaths, settings: EngineSettings) -> tuple[Handler, ...]:
    catalogue = runtimes.load()
    await asyncio.to_thread(pause.bring_in, settings.cri_socket)
    async with CriClient(settings.cri_socket) as client:
        if settings.external:
            tried = handlers.offered(await client.status(verbose=True), catalogue)
        else:
            tried = handlers.candidates(found.runtimes(paths))
        return await handlers.check(client, tried, catalogue, paths)


async def _remove_sandboxes(socket: str, labels: dict[str, str]) -> None:
    async with CriClient(socket) as client:
        for _ in range(_TRIES):
            sandboxes = await client.pod_sandboxes(labels)
            if not sandboxes:
                return
            limit = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(_remove(client, each.id, limit) for each in sandboxes), return_exceptions=True)


async def _remove(client: CriClient, sandbox_id: str, limit: asyncio.Semaphore) -> None:
    async with limit:
        await client.stop_pod_sandbox(sandbox_id)
        await client.remove_pod_sandbox(sandbox_id)
