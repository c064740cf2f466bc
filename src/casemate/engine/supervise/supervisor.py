"""The supervisor process: adopts what is there, keeps it, and answers the command line.

Rules:

1. It starts from disk and CRI alone; nothing is lost when it was killed.
2. It relists CRI (as a kubelet's PLEG does) every 0.1 s while things change and, by doubling, up to every second when
   they do not, and wakes the workers of Pods that changed.
3. When containerd does not answer, it starts it again; shims and containers have lived on.
4. It ends itself when asked by SIGTERM, leaving all Pods as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping

from casemate.catalogue import runtimes
from casemate.engine import known_handlers, node
from casemate.engine.containerd import process as containerd
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import EngineUnreachable
from casemate.engine.instance import ENGINE_LABEL, POD_UID_LABEL
from casemate.engine.network.fabric import Fabric
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import load_settings
from casemate.engine.supervise.endpoints import pod_states, services_of
from casemate.engine.supervise.pod_runtime import PodRuntime
from casemate.engine.supervise.run import Run
from casemate.engine.supervise.run_record import RunFolder, run_names
from casemate.engine.supervise.server import Server
from casemate.engine.supervise.tasks import Tasks
from casemate.engine.support.features import engine_features
from casemate.errors import CasemateError, InputError
from casemate.model.support import EngineFeatures

QUICK = 0.1
SLOW = 1.0
GATHER = 0.02


class Supervisor:
    """Keeps all runs of one engine."""

    def __init__(self, paths: EnginePaths) -> None:
        self.paths = paths
        self.settings = load_settings(paths)
        self.runs: dict[str, Run] = {}
        self._catalogue = runtimes.load()
        self._handlers = known_handlers.load(paths)
        self._client = CriClient(self.settings.cri_socket)
        self._fabric = Fabric(paths, self.settings)
        self._features: dict[str, EngineFeatures] = {}
        self._runtime = PodRuntime(
            paths, self.settings, node.gather(), self._client, self._features, self._service_variables
        )
        self._server = Server(self)
        self._changed = asyncio.Event()
        self._stirred = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks = Tasks()
        self._failed = False
        self._adopted = False
        self._problems: set[str] = set()
        self._seen: Mapping[str, frozenset[tuple[str, int]]] = {}

    async def serve(self) -> bool:
        """Run until SIGTERM or SIGINT. Returns False when it had to give up, and wants to be started again."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._give_up)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        await self._fabric.start()
        await self._ask_features()
        for name in run_names(self.paths.runs):
            self.keep(name)
        async with self._client, self._server.listening(self.paths.supervisor_socket):
            self._tasks.start(self._relist(), "relist")
            self._tasks.start(self._publish(), "publish")
            await self._stopping.wait()
            self._tasks.cancel()
        await self._fabric.stop()
        return not self._failed

    async def _ask_features(self) -> None:
        version, status = await self._client.version(), await self._client.status()
        for each in self._handlers:
            self._features[each.name] = engine_features(version, status, each.name)

    def _give_up(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        loop.default_exception_handler(context)
        self._failed = True
        self._stopping.set()

    def keep(self, name: str) -> Run:
        """Keep the run of that name; the one already kept, if it is. Raises `InputError` when there is none on disk."""
        if name in self.runs:
            return self.runs[name]
        if name not in run_names(self.paths.runs):
            raise InputError(f"there is no run called {name!r}", fix="casemate ps")
        run = Run(RunFolder(self.paths.runs, name), self._runtime, self._catalogue, self._handlers, self._changed.set)
        self._fabric.allocate(services_of([*self.runs.values(), run]))
        self.runs[name] = run
        self._tasks.start(self._keep(run), f"run {name}")
        return run

    async def _keep(self, run: Run) -> None:
        await run.keep()
        await self._update_fabric(without=run)
        run.folder.delete()
        del self.runs[run.record.name]
        self._changed.set()

    def _service_variables(self, namespace: str) -> Mapping[str, str]:
        return self._fabric.environment(services_of(self.runs.values()), namespace)

    async def _publish(self) -> None:
        """Hand every change to the network and to the clients that watch."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER)  # changes come in bursts, and each costs a look at all Pods
            self._changed.clear()
            self._stirred.set()
            await self._update_fabric()
            self._server.tell_watchers()

    async def _update_fabric(self, without: Run | None = None) -> None:
        runs = [run for run in self.runs.values() if run is not without]
        if not self._adopted:
            # Pods of an earlier supervisor have served all the while: wait until all of them are seen again.
            self._adopted = all(worker.known for run in runs for worker in run.workers.values())
        if not self._adopted:
            return
        try:
            problems = await self._fabric.update(services_of(runs), pod_states(runs))
            for problem in set(problems) - self._problems:
                self._server.log(problem)
                for run in runs:
                    run.take_network_problem(problem)
            self._problems = set(problems)
        except CasemateError as error:
            self._server.log(str(error))

    async def _relist(self) -> None:
        pause = QUICK
        while True:
            changed = await self._look_or_revive()
            pause = QUICK if changed else min(pause * 2, SLOW)
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stirred.wait()
                pause = QUICK
                await asyncio.sleep(pause)

    async def _look_or_revive(self) -> bool:
        try:
            return await self._look()
        except EngineUnreachable:
            await self._revive_engine()
            return True
        except CasemateError as error:
            self._server.log(str(error))
            return False

    async def _look(self) -> bool:
        ours = {ENGINE_LABEL: self.paths.name}
        seen: dict[str, set[tuple[str, int]]] = {}
        for sandbox in await self._client.pod_sandboxes(ours):
            seen.setdefault(sandbox.labels[POD_UID_LABEL], set()).add((sandbox.id, sandbox.state))
        for container in await self._client.containers(ours):
            seen.setdefault(container.labels[POD_UID_LABEL], set()).add((container.id, container.state))
        now = {uid: frozenset(each) for uid, each in seen.items()}
        changed = {uid for uid in {*now, *self._seen} if now.get(uid) != self._seen.get(uid)}
        self._seen = now
        for run in self.runs.values():
            for uid in changed & run.workers.keys():
                run.workers[uid].relisted(now.get(uid, frozenset()))
        return bool(changed)

    async def _revive_engine(self) -> None:
        if self.settings.external:
            return
        try:
            await asyncio.to_thread(containerd.start, self.paths)
        except CasemateError as error:
            self._server.log(str(error))
