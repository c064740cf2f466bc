"""Which Pods a Job wants now: a pure function of the Job, its Pods and the clock.

Rules, in the order of the code (Kubernetes batch/v1; KEP-2214 indexed Jobs):

1. A suspended Job wants no Pod; those that run are ended.
2. It is done when `completions` Pods succeeded; without `completions`, when one succeeded and none runs any more
   (a work queue). An indexed Job counts indexes, not Pods.
3. It has failed when more Pods failed than `backoffLimit` (6 when unset), when Pods with `restartPolicy: OnFailure`
   restarted that often together, or when it is older than its `activeDeadlineSeconds`; Pods that still run are ended.
4. Else it keeps min(`parallelism`, what is missing) Pods running. After a failure the next Pod waits 10 s, doubled with
   every further failure, up to 6 min.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from casemate.engine.instance import PodInstance
from casemate.engine.supervise.controllers import PodView, Wanted, name_of, namespace_of, owner_of, pod_instance, suffix
from casemate.engine.supervise.run_record import RunRecord
from casemate.model.kube.container import Container, EnvVar
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.workloads import CronJob, Job, JobSpec, PodTemplateSpec
from casemate.model.status import Phase

DEFAULT_BACKOFF_LIMIT = 6
FIRST_DELAY = 10.0
LONGEST_DELAY = 360.0
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"


def wanted_by_jobs(run: RunRecord, pods: Sequence[PodView], now: float) -> Iterator[Wanted]:
    """What every Job of the run wants, and every CronJob's one Job."""
    for job in (*run.inventory.jobs, *(_job_of(each) for each in run.inventory.cron_jobs)):
        owner = owner_of("Job", job.metadata)
        mine = [view for view in pods if view.instance.owner == owner]
        yield wanted_by_job(run, job, mine, now)


def wanted_by_job(run: RunRecord, job: Job, mine: Sequence[PodView], now: float) -> Wanted:
    """What one Job wants, given its own Pods."""
    spec = job.spec
    assert spec is not None
    owner = owner_of("Job", job.metadata)
    alive = [view for view in mine if not view.phase.final]
    failed = [view for view in mine if view.phase is Phase.FAILED]
    if spec.suspend:
        return Wanted(end=_uids(alive))
    if _done(spec, mine, alive):
        return Wanted(end=_uids(alive))
    if _failed(spec, run, mine, now):
        return Wanted(end=_uids(alive), settled=not alive, failed=(owner,))
    wait = _delay_left(failed, now)
    deadline = _deadline_left(spec, run, now)
    if wait > 0:
        return Wanted(settled=False, look_again=min(wait, deadline))
    made = tuple(_missing(run, job, spec, mine, alive))
    return Wanted(create=made, settled=False, look_again=deadline if deadline != float("inf") else None)


def _job_of(cron: CronJob) -> Job:
    assert cron.spec is not None
    template = cron.spec.jobTemplate
    name = f"{name_of(cron.metadata)}-{suffix(name_of(cron.metadata))}"
    meta = msgspec.structs.replace(template.metadata or ObjectMeta(), name=name, namespace=namespace_of(cron.metadata))
    return Job(apiVersion="batch/v1", kind="Job", metadata=meta, spec=template.spec)


def _uids(views: Sequence[PodView]) -> tuple[str, ...]:
    return tuple(view.instance.uid for view in views)


def _indexed(spec: JobSpec) -> bool:
    return spec.completionMode == "Indexed"


def _index(view: PodView) -> str:
    meta = view.instance.pod.metadata
    return meta.annotations.get(INDEX_ANNOTATION, "") if meta else ""


def _succeeded(spec: JobSpec, mine: Sequence[PodView]) -> int:
    succeeded = [view for view in mine if view.phase is Phase.SUCCEEDED]
    return len({_index(view) for view in succeeded}) if _indexed(spec) else len(succeeded)


def _done(spec: JobSpec, mine: Sequence[PodView], alive: Sequence[PodView]) -> bool:
    succeeded = _succeeded(spec, mine)
    if spec.completions is None and spec.parallelism not in (None, 1):
        return succeeded > 0 and not alive
    return succeeded >= (1 if spec.completions is None else spec.completions)


def _failed(spec: JobSpec, run: RunRecord, mine: Sequence[PodView], now: float) -> bool:
    limit = DEFAULT_BACKOFF_LIMIT if spec.backoffLimit is None else spec.backoffLimit
    failed = sum(view.phase is Phase.FAILED for view in mine)
    restarts = sum(view.restarts for view in mine)
    worn_out = restarts > 0 and restarts >= limit
    return failed > limit or worn_out or _deadline_left(spec, run, now) <= 0


def _deadline_left(spec: JobSpec, run: RunRecord, now: float) -> float:
    if spec.activeDeadlineSeconds is None:
        return float("inf")
    return run.created + spec.activeDeadlineSeconds - now


def _delay_left(failed: Sequence[PodView], now: float) -> float:
    if not failed:
        return 0.0
    delay: float = min(FIRST_DELAY * 2 ** min(len(failed) - 1, 10), LONGEST_DELAY)
    return max(view.ended_at for view in failed) + delay - now


def _missing(
    run: RunRecord, job: Job, spec: JobSpec, mine: Sequence[PodView], alive: Sequence[PodView]
) -> Iterator[PodInstance]:
    parallelism = 1 if spec.parallelism is None else spec.parallelism
    if spec.completions is None and parallelism != 1:
        # A work queue: once one Pod has succeeded, no new ones are made.
        left = 0 if _succeeded(spec, mine) else parallelism
    else:
        left = (1 if spec.completions is None else spec.completions) - _succeeded(spec, mine)
    room = min(parallelism, left) - len(alive)
    if _indexed(spec):
        taken = {_index(view) for view in mine if view.phase is not Phase.FAILED}
        free = (index for index in range(spec.completions or 1) if str(index) not in taken)
        yield from (_indexed_pod(run, job, spec, index, len(mine)) for index, _ in zip(free, range(room), strict=False))
        return
    for turn in range(len(mine), len(mine) + room):
        yield _pod(run, job, spec.template, f"{name_of(job.metadata)}-{suffix(f'{name_of(job.metadata)}/{turn}')}", 0)


def _pod(run: RunRecord, job: Job, template: PodTemplateSpec, name: str, turn: int) -> PodInstance:
    return pod_instance(run, template, name, namespace_of(job.metadata), owner_of("Job", job.metadata), turn)


def _indexed_pod(run: RunRecord, job: Job, spec: JobSpec, index: int, turn: int) -> PodInstance:
    template = spec.template
    assert template.spec is not None
    meta = template.metadata or ObjectMeta()
    named = msgspec.structs.replace(
        template,
        metadata=msgspec.structs.replace(meta, annotations={**meta.annotations, INDEX_ANNOTATION: str(index)}),
        spec=msgspec.structs.replace(
            template.spec,
            hostname=template.spec.hostname or f"{name_of(job.metadata)}-{index}",
            containers=tuple(_with_index(each, index) for each in template.spec.containers),
            initContainers=tuple(_with_index(each, index) for each in template.spec.initContainers),
        ),
    )
    name = f"{name_of(job.metadata)}-{index}-{suffix(f'{name_of(job.metadata)}/{index}/{turn}')}"
    return _pod(run, job, named, name, turn)


def _with_index(container: Container, index: int) -> Container:
    variable = EnvVar(name=INDEX_VARIABLE, value=str(index))
    return msgspec.structs.replace(container, env=(*container.env, variable))
