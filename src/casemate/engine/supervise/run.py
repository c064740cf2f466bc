"""One run: its controllers say which Pods it wants, its workers keep them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from casemate.catalogue.runtimes import Catalogue
from casemate.engine.instance import PodInstance
from casemate.engine.supervise.controllers import PodView, Wanted, wanted_by_sets
from casemate.engine.supervise.jobs import wanted_by_jobs
from casemate.engine.supervise.pod_runtime import PodRuntime
from casemate.engine.supervise.pod_status import Boundaries
from casemate.engine.supervise.run_record import PodRecord, RunFolder
from casemate.engine.supervise.tasks import Tasks
from casemate.engine.supervise.worker import PodWorker
from casemate.model.handler import Handler
from casemate.model.status import RunStatus


class Run:
    """A run that is kept. `changed` is called whenever its status has changed."""

    def __init__(
        self,
        folder: RunFolder,
        runtime: PodRuntime,
        catalogue: Catalogue,
        handlers: Iterable[Handler],
        changed: Callable[[], None],
    ) -> None:
        self.folder = folder
        self.record = folder.read()
        self.workers: dict[str, PodWorker] = {}
        self.removed = False
        self._runtime = runtime.for_run(self.record)
        self._catalogue = catalogue
        self._boundaries = {each.name: each.boundary for each in handlers}
        self._changed = changed
        self._wake = asyncio.Event()
        self._settled = False
        self._failed: tuple[str, ...] = ()
        self._failure = folder.failure
        self._tasks = Tasks()

    @property
    def status(self) -> RunStatus:
        """How the run stands."""
        return RunStatus(
            name=self.record.name,
            created=self.record.created,
            settled=self._settled,
            error=self._failure,
            removed=self.removed,
            failed_workloads=self._failed,
            pods=tuple(
                sorted((each.status for each in self.workers.values()), key=lambda pod: (pod.namespace, pod.name))
            ),
        )

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def take_network_problem(self, problem: str) -> None:
        """A host port could not be had: while the run is starting, that fails the start of the Pod that wants it."""
        owners = {f"{each.instance.namespace}/{each.instance.name}" for each in self.workers.values()}
        if not self.folder.started and any(owner in problem.partition(":")[0] for owner in owners):
            self._fail(problem)

    def remove(self) -> None:
        """Take everything down."""
        if not self.folder.removing:
            self.folder.mark_removing()
        self.wake()

    async def keep(self) -> None:
        """Keep the run until it is removed. Pods of an earlier supervisor are adopted first."""
        for record in self.folder.pods():
            self._keep_pod(record)
        while not self.removed:
            self._wake.clear()
            look_again = self._remove_step() if self.folder.removing else self._control_step()
            self._changed()
            if self.removed:
                return
            await self._sleep(look_again)

    async def _sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _control_step(self) -> float | None:
        if self._start_failed():
            return 0
        now = time.time()
        views = [self._view(worker) for worker in self.workers.values()]
        answers = [*wanted_by_sets(self.record, views), *wanted_by_jobs(self.record, views, now)]
        for answer in answers:
            self._follow(answer, now)
        self._settled = all(each.settled for each in answers)
        self._failed = tuple(name for each in answers for name in each.failed)
        return min((each.look_again for each in answers if each.look_again is not None), default=None)

    def _start_failed(self) -> bool:
        """Roll back when a Pod cannot start while the run is starting; afterwards a Pod is retried for ever."""
        workers = self.workers.values()
        if not self.folder.started:
            failure = next((each.start_failure for each in workers if each.start_failure), "")
            if failure:
                self._fail(failure)
                return True
            if workers and all(each.record.start_seconds is not None or each.record.final for each in workers):
                self.folder.mark_started()
        return False

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self.folder.fail(reason)
        self.remove()

    def _follow(self, answer: Wanted, now: float) -> None:
        for instance in answer.create:
            self._create(instance, now)
        for uid in answer.end:
            self.workers[uid].end()
        if answer.create:
            self.wake()

    def _create(self, instance: PodInstance, now: float) -> None:
        record = PodRecord(instance=instance, accepted=now)
        self.folder.write_pod(record)
        self._keep_pod(record)

    def _keep_pod(self, record: PodRecord) -> None:
        instance = record.instance
        worker = PodWorker(self._runtime, record, self.folder, self._boundaries_of(instance), self._pod_changed)
        self.workers[instance.uid] = worker
        self._tasks.start(worker.run(), f"Pod {instance.namespace}/{instance.name}")

    def _boundaries_of(self, instance: PodInstance) -> Boundaries:
        """What the class's name promises (no class promises nothing of its own), and what was found for its handler."""
        found = self._boundaries.get(instance.handler)
        resolved = self._catalogue.boundary_of_handler(instance.handler) if found is None else found
        declared = self._catalogue.boundary_of_class(instance.runtime_class) if instance.runtime_class else resolved
        return Boundaries(declared, resolved)

    def _pod_changed(self) -> None:
        self.wake()
        self._changed()

    def _remove_step(self) -> float | None:
        for worker in self.workers.values():
            worker.remove()
        self.workers = {uid: worker for uid, worker in self.workers.items() if not worker.gone}
        if self.workers:
            return None
        self.removed = True
        return None

    @staticmethod
    def _view(worker: PodWorker) -> PodView:
        status = worker.status
        return PodView(
            instance=worker.instance,
            phase=status.phase,
            ready=status.ready,
            accepted=worker.record.accepted,
            restarts=status.restarts,
            ended_at=worker.record.ended,
        )
