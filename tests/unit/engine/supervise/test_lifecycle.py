"""What is to be done next for a Pod: `casemate.engine.supervise.lifecycle`, as a kubelet would decide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casemate.engine.supervise.lifecycle import (
    Condemned,
    CreateSandbox,
    Finish,
    Memory,
    Plan,
    StartContainer,
    StopContainer,
    plan,
)
from casemate.engine.supervise.observed import ObservedContainer, ObservedPod, ObservedSandbox, State
from casemate.engine.supervise.restart import Crashes
from casemate.model.kube.pod import PodSpec
from casemate.model.status import Phase

NOW = 1000.0


def spec(
    *, init: list[dict[str, Any]] | None = None, main: list[dict[str, Any]] | None = None, **fields: Any
) -> PodSpec:
    containers = main or [{"name": "main"}]
    return msgspec.convert({"containers": containers, "initContainers": init or [], **fields}, PodSpec)


def sandbox(attempt: int = 0, *, ready: bool = True) -> ObservedSandbox:
    return ObservedSandbox(id=f"sandbox{attempt}", attempt=attempt, ready=ready, created_at=NOW - 100)


def running(name: str, attempt: int = 0, of: int = 0) -> ObservedContainer:
    return ObservedContainer(f"{name}-{attempt}", name, f"sandbox{of}", attempt, State.RUNNING)


def ended(name: str, code: int = 0, attempt: int = 0, of: int = 0, ago: float = 1.0) -> ObservedContainer:
    times = {"started_at": NOW - ago - 1, "finished_at": NOW - ago}
    return ObservedContainer(f"{name}-{attempt}", name, f"sandbox{of}", attempt, State.EXITED, code, **times)


def decide(pod: PodSpec, *seen: ObservedSandbox | ObservedContainer, memory: Memory | None = None) -> Plan:
    observed = ObservedPod(
        tuple(each for each in seen if isinstance(each, ObservedSandbox)),
        tuple(each for each in seen if isinstance(each, ObservedContainer)),
    )
    return plan(pod, observed, memory or Memory(accepted_at=NOW - 100), NOW)


def started_names(decided: Plan) -> list[tuple[str, int]]:
    assert all(isinstance(each, StartContainer) for each in decided.actions), decided
    return [(each.container.name, each.attempt) for each in decided.actions if isinstance(each, StartContainer)]


def test_a_new_pod_gets_a_sandbox_first() -> None:
    assert decide(spec()).actions == (CreateSandbox(attempt=0),)


def test_main_containers_start_all_at_once() -> None:
    pod = spec(main=[{"name": "one"}, {"name": "two"}])
    assert started_names(decide(pod, sandbox())) == [("one", 0), ("two", 0)]


def test_init_containers_run_one_after_another() -> None:
    pod = spec(init=[{"name": "first"}, {"name": "second"}])
    assert started_names(decide(pod, sandbox())) == [("first", 0)]
    assert decide(pod, sandbox(), running("first")).actions == ()
    assert started_names(decide(pod, sandbox(), ended("first"))) == [("second", 0)]
    assert started_names(decide(pod, sandbox(), ended("first"), ended("second"))) == [("main", 0)]


def test_a_failed_init_container_fails_a_pod_that_never_restarts() -> None:
    pod = spec(init=[{"name": "first"}], restartPolicy="Never")
    (action,) = decide(pod, sandbox(), ended("first", code=3)).actions
    assert isinstance(action, Finish)
    assert (action.phase, action.reason) == (Phase.FAILED, "InitContainerFailed")


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_a_failed_init_container_is_tried_again_otherwise(policy: str) -> None:
    pod = spec(init=[{"name": "first"}], restartPolicy=policy)
    assert started_names(decide(pod, sandbox(), ended("first", code=3))) == [("first", 1)]


def test_a_sidecar_must_have_started_before_the_next_container() -> None:
    pod = spec(init=[{"name": "proxy", "restartPolicy": "Always"}])
    assert decide(pod, sandbox(), running("proxy")).actions == ()
    memory = Memory(accepted_at=NOW, started={"proxy-0"})
    assert started_names(decide(pod, sandbox(), running("proxy"), memory=memory)) == [("main", 0)]


def test_a_sidecar_that_ended_restarts_whatever_the_pods_policy() -> None:
    pod = spec(init=[{"name": "proxy", "restartPolicy": "Always"}], restartPolicy="Never")
    assert started_names(decide(pod, sandbox(), ended("proxy"), running("main"))) == [("proxy", 1)]


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, Phase.SUCCEEDED), ("Never", 1, Phase.FAILED), ("OnFailure", 0, Phase.SUCCEEDED)],
)
def test_a_pod_is_finished_when_its_main_containers_have_ended_for_good(policy: str, code: int, phase: Phase) -> None:
    (action,) = decide(spec(restartPolicy=policy), sandbox(), ended("main", code)).actions
    assert isinstance(action, Finish)
    assert action.phase is phase


def test_a_sidecar_does_not_keep_a_pod_from_finishing() -> None:
    pod = spec(init=[{"name": "proxy", "restartPolicy": "Always"}], restartPolicy="Never")
    assert decide(pod, sandbox(), running("proxy"), ended("main")).actions == (Finish(Phase.SUCCEEDED),)


def test_one_container_that_runs_keeps_the_pod_from_finishing() -> None:
    pod = spec(main=[{"name": "one"}, {"name": "two"}], restartPolicy="Never")
    assert decide(pod, sandbox(), ended("one", 1), running("two")).actions == ()


@pytest.mark.parametrize(
    ("crashes", "ago", "wait"),
    [(1, 0.1, None), (2, 4.0, 6.0), (3, 4.0, 16.0), (4, 4.0, 36.0), (20, 4.0, 296.0), (2, 11.0, None)],
)
def test_restarts_wait_longer_and_longer(crashes: int, ago: float, wait: float | None) -> None:
    memory = Memory(accepted_at=NOW, crashes={"main": Crashes(crashes)})
    decided = decide(spec(), sandbox(), ended("main", 1, attempt=crashes - 1, ago=ago), memory=memory)
    if wait is None:
        assert started_names(decided) == [("main", crashes)]
    else:
        assert decided.actions == ()
        assert decided.look_again == pytest.approx(wait)
        assert set(decided.backing_off) == {"main"}


def test_ten_minutes_of_running_are_forgiven() -> None:
    crashes = Crashes(7)
    crashes.count(ObservedContainer("x", "x", "s", 7, State.EXITED, 1, started_at=100.0, finished_at=701.0))
    assert crashes.delay() == 0.0


def test_a_condemned_container_is_stopped() -> None:
    memory = Memory(accepted_at=NOW, condemned={"main-0": Condemned("liveness probe failed", 3)})
    (action,) = decide(spec(), sandbox(), running("main"), memory=memory).actions
    assert isinstance(action, StopContainer)
    assert (action.id, action.grace) == ("main-0", 3)


def test_a_start_that_was_cut_short_is_cleared_away_and_done_again() -> None:
    leftover = ObservedContainer("main-0", "main", "sandbox0", 0, State.CREATED)
    (action,) = decide(spec(), sandbox(), leftover).actions
    assert isinstance(action, StartContainer)
    assert (action.attempt, action.replaces) == (0, "main-0")


def test_a_lost_sandbox_is_replaced_and_its_containers_count_on() -> None:
    lost = decide(spec(), sandbox(ready=False), ended("main", 137))
    assert lost.actions == (CreateSandbox(attempt=1, replaces="sandbox0"),)
    assert started_names(decide(spec(), sandbox(ready=False), sandbox(1), ended("main", 137))) == [("main", 1)]


def test_a_pod_that_never_restarts_gets_no_second_sandbox() -> None:
    (action,) = decide(spec(restartPolicy="Never"), sandbox(ready=False), running("main")).actions
    assert isinstance(action, Finish)
    assert (action.phase, action.reason) == (Phase.FAILED, "SandboxChanged")


def test_a_new_sandbox_runs_init_containers_again_but_not_what_has_succeeded() -> None:
    pod = spec(init=[{"name": "first"}], main=[{"name": "one"}, {"name": "two"}], restartPolicy="OnFailure")
    before = (ended("first"), ended("one"), ended("two", 137))
    seen = (sandbox(ready=False), sandbox(1), *before)
    assert started_names(decide(pod, *seen)) == [("first", 1)]
    assert started_names(decide(pod, *seen, ended("first", attempt=1, of=1))) == [("two", 1)]


def test_a_pod_past_its_deadline_fails() -> None:
    (action,) = decide(spec(activeDeadlineSeconds=100), sandbox(), running("main")).actions
    assert isinstance(action, Finish)
    assert (action.phase, action.reason) == (Phase.FAILED, "DeadlineExceeded")


def test_a_deadline_to_come_is_looked_at_in_time() -> None:
    assert decide(spec(activeDeadlineSeconds=130), sandbox(), running("main")).look_again == pytest.approx(30.0)


RULES = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]


@pytest.mark.parametrize(("code", "restarted"), [(42, True), (41, False)])
def test_a_containers_own_rules_go_before_the_pods_policy(code: int, restarted: bool) -> None:
    pod = spec(main=[{"name": "main", "restartPolicy": "Never", "restartPolicyRules": RULES}], restartPolicy="Never")
    (action,) = decide(pod, sandbox(), ended("main", code)).actions
    assert isinstance(action, StartContainer) is restarted
