"""Which Pods workload objects want: `controllers` and `jobs`, as Kubernetes' own controllers would say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casemate.engine.instance import PodInstance
from casemate.engine.supervise.controllers import PodView, Wanted, templated_claims, wanted_by_sets
from casemate.engine.supervise.jobs import wanted_by_jobs
from casemate.engine.supervise.run_record import ResolvedClass, RunRecord
from casemate.model.inventory import Inventory
from casemate.model.status import Phase

TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "x"}]}}
BEGAN = 1000.0


def run_of(**kinds: list[dict[str, Any]]) -> RunRecord:
    inventory = msgspec.convert(kinds, Inventory)
    return RunRecord(
        name="shop", created=BEGAN, inventory=inventory, classes={"": ResolvedClass(name="", handler="runc")}
    )


def workload(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"template": TEMPLATE, "selector": {}, **spec}}


def view(instance: PodInstance, phase: Phase = Phase.RUNNING, *, ready: bool = True, ended_at: float = 0.0) -> PodView:
    return PodView(instance, phase, ready and phase is Phase.RUNNING, BEGAN, ended_at=ended_at)


def sets(run: RunRecord, *views: PodView) -> Wanted:
    (wanted,) = wanted_by_sets(run, views)
    return wanted


def job(run: RunRecord, *views: PodView, now: float = BEGAN + 1) -> Wanted:
    (wanted,) = wanted_by_jobs(run, views, now)
    return wanted


def test_a_bare_pod_is_made_once_and_never_replaced() -> None:
    run = run_of(pods=[{"metadata": {"name": "solo"}, **TEMPLATE}])
    (made,) = sets(run).create
    assert (made.name, made.namespace, made.owner) == ("solo", "default", "Pod/default/solo")
    after = sets(run, view(made, Phase.FAILED))
    assert after.create == ()
    assert after.failed == ("Pod/default/solo",)


def test_names_and_uids_are_the_same_when_asked_again() -> None:
    run = run_of(deployments=[workload("web", replicas=3)])
    assert sets(run).create == sets(run).create
    assert len({each.uid for each in sets(run).create}) == 3


def test_a_failed_replica_gets_a_successor_with_another_name() -> None:
    run = run_of(deployments=[workload("web", replicas=2)])
    one, two = sets(run).create
    (successor,) = sets(run, view(one, Phase.FAILED), view(two)).create
    assert successor.name not in (one.name, two.name)


def test_a_satisfied_deployment_wants_nothing() -> None:
    run = run_of(deployments=[workload("web", replicas=2)])
    assert sets(run, *(view(each) for each in sets(run).create)) == Wanted()


def test_a_stateful_set_starts_one_after_another() -> None:
    run = run_of(stateful_sets=[workload("db", replicas=2, serviceName="db")])
    (first,) = sets(run).create
    assert first.name == "db-0"
    assert sets(run, view(first, ready=False)).create == ()
    (second,) = sets(run, view(first)).create
    assert second.name == "db-1"
    assert sets(run, view(first), view(second)).settled


def test_a_parallel_stateful_set_starts_all_at_once() -> None:
    run = run_of(stateful_sets=[workload("db", replicas=3, podManagementPolicy="Parallel")])
    assert [each.name for each in sets(run).create] == ["db-0", "db-1", "db-2"]


def test_each_pod_of_a_stateful_set_has_a_claim_of_its_own() -> None:
    claims = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]
    run = run_of(stateful_sets=[workload("db", replicas=2, volumeClaimTemplates=claims)])
    (first,) = sets(run).create
    volume = first.pod.spec.volumes[0]  # type: ignore[union-attr]
    assert volume.persistentVolumeClaim is not None
    assert (volume.name, volume.persistentVolumeClaim.claimName) == ("data", "data-db-0")
    made = [each.metadata.name for each in templated_claims(run.inventory).claims if each.metadata]
    assert made == ["data-db-0", "data-db-1"]


def test_a_daemon_set_has_one_pod_on_one_node() -> None:
    run = run_of(daemon_sets=[workload("agent")])
    (made,) = sets(run).create
    assert sets(run, view(made)).create == ()


def test_a_job_is_done_when_enough_pods_have_succeeded() -> None:
    run = run_of(jobs=[workload("batch", completions=2)])
    (first,) = job(run).create
    (second,) = job(run, view(first, Phase.SUCCEEDED)).create
    assert second.uid != first.uid
    done = job(run, view(first, Phase.SUCCEEDED), view(second, Phase.SUCCEEDED))
    assert done == Wanted()


def test_a_job_runs_no_more_at_once_than_its_parallelism_and_what_is_missing() -> None:
    run = run_of(jobs=[workload("batch", completions=5, parallelism=3)])
    made = job(run).create
    assert len(made) == 3
    views = [view(each, Phase.SUCCEEDED) for each in made]
    assert len(job(run, *views).create) == 2


def test_a_work_queue_makes_no_pods_after_the_first_success() -> None:
    run = run_of(jobs=[workload("queue", parallelism=2)])
    one, two = job(run).create
    still = job(run, view(one, Phase.SUCCEEDED), view(two))
    assert (still.create, still.settled) == ((), False)
    assert job(run, view(one, Phase.SUCCEEDED), view(two, Phase.SUCCEEDED)).settled


def test_a_job_gives_up_after_its_back_off_limit() -> None:
    run = run_of(jobs=[workload("batch", backoffLimit=1)])
    (first,) = job(run).create
    failed = view(first, Phase.FAILED, ended_at=BEGAN)
    waiting = job(run, failed, now=BEGAN + 4)
    assert (waiting.create, waiting.look_again) == ((), pytest.approx(6.0))
    (second,) = job(run, failed, now=BEGAN + 11).create
    over = job(run, failed, view(second, Phase.FAILED, ended_at=BEGAN + 12), now=BEGAN + 60)
    assert (over.create, over.failed, over.settled) == ((), ("Job/default/batch",), True)


def test_a_job_past_its_deadline_ends_its_pods() -> None:
    run = run_of(jobs=[workload("batch", activeDeadlineSeconds=30)])
    (made,) = job(run).create
    over = job(run, view(made), now=BEGAN + 31)
    assert (over.end, over.failed) == ((made.uid,), ("Job/default/batch",))


def test_a_suspended_job_runs_nothing() -> None:
    run = run_of(jobs=[workload("batch", suspend=True)])
    assert job(run) == Wanted()


def test_an_indexed_job_gives_every_index_a_pod_and_its_number() -> None:
    run = run_of(jobs=[workload("shards", completionMode="Indexed", completions=2, parallelism=2)])
    one, two = job(run).create
    numbers = [each.pod.spec.containers[0].env[-1] for each in (one, two)]  # type: ignore[union-attr]
    assert [(each.name, each.value) for each in numbers] == [
        ("JOB_COMPLETION_INDEX", "0"),
        ("JOB_COMPLETION_INDEX", "1"),
    ]
    (again,) = job(run, view(one, Phase.SUCCEEDED), view(two, Phase.FAILED, ended_at=BEGAN - 60)).create
    assert again.name.startswith("shards-1-")


def test_a_cron_job_is_its_job_made_at_once() -> None:
    cron = {
        "metadata": {"name": "nightly", "namespace": "default"},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": TEMPLATE}}},
    }
    (made,) = job(run_of(cron_jobs=[cron])).create
    assert made.owner.startswith("Job/default/nightly-")
