"""Probes that must be denied, what came of them, and reports of a constant size."""

from __future__ import annotations

import datetime
import json
import os
import signal
import time
from typing import Any

import pytest

from casemate.admission import probes, statuses
from casemate.admission.audit import NAMED, Count, Named, Tally
from casemate.admission.bites import Bite, Bitten, Patience
from casemate.admission.board import Board
from casemate.admission.judge import Standing
from casemate.admission.leader import LASTS, Watcher
from casemate.admission.probes import Asker, Probe, Unprobed
from casemate.admission.published import Rules
from casemate.admission.reports import APIS, report
from casemate.catalogue import tables
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import (
    HardeningRule,
    Match,
    Mode,
    NamespaceMatch,
    Part,
    Policy,
    PolicySettings,
    PolicySpec,
)

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
CLASSES = tuple(
    RuntimeClass(metadata=ObjectMeta(name=name), handler=handler)
    for name, handler in (("gvisor", "runsc"), ("plain", "runc"))
)
NAMESPACES = {"free": {}, "team-a": {"tenancy": "shared"}}

Object = dict[str, Any]


def standing(**spec: Any) -> Standing:
    policy = Policy(name="tenants", spec=PolicySpec(**spec))
    rules = Rules(revision=1, policies=(policy,), runtime_classes=CLASSES, complete=True)
    return rules.standing(tables.load(), PolicySettings())


def probed(**spec: Any) -> list[Probe | Unprobed]:
    return list(probes.probes(standing(**spec), NAMESPACES, Asker("casemate"), NOW))


SHARED = Match(namespaces=NamespaceMatch(labels={"tenancy": "shared"}))


def test_every_rule_that_can_be_broken_is_probed_where_the_policy_matches() -> None:
    found = probed(match=SHARED, permitted=("gvisor",), default="gvisor")
    rules = {each.rule for each in found if isinstance(each, Probe)}
    assert {"class-not-permitted", "class-unknown"} <= rules
    assert {each.namespace for each in found if isinstance(each, Probe)} == {"team-a"}


def test_a_default_alone_is_no_denial_and_so_no_probe() -> None:
    rules = {
        each.rule for each in probed(match=SHARED, permitted=("gvisor",), default="gvisor") if isinstance(each, Probe)
    }
    assert "default-set" not in rules


@pytest.mark.parametrize("part", list(Part)[1:6])
def test_hardening_is_probed_part_by_part(part: Part) -> None:
    rule = HardeningRule(below="vm", require=(part,))
    assert "hardening" in {each.rule for each in probed(match=SHARED, hardening=rule) if isinstance(each, Probe)}


@pytest.mark.parametrize(
    ("match", "found"),
    [
        (Match(podLabels={"app": "x"}), True),
        (Match(serviceAccounts=("team-a/runner",)), True),
        (Match(images=("ghcr.io/acme/**",)), True),
        (Match(kinds=("PodTemplate",)), True),
        (Match(users=("alice",)), False),
        (Match(groups=("devs",)), False),
        (Match(kinds=("Deployment",)), False),
        (Match(namespaces=NamespaceMatch(names=("nowhere",))), False),
    ],
)
def test_a_probe_matches_its_policy_or_there_is_a_reason(match: Match, found: bool) -> None:
    (first, *_) = probed(match=match, permitted=("gvisor",))
    assert isinstance(first, Probe) is found
    if isinstance(first, Unprobed):
        assert first.why


def test_policies_that_do_not_enforce_are_not_probed() -> None:
    assert not probed(match=SHARED, permitted=("gvisor",), mode=Mode.WARN)


def test_what_is_let_through_counts_the_second_time_and_until_it_is_denied() -> None:
    patience = Patience()
    through, denied = Bitten("p", "r", Bite.LET_THROUGH), Bitten("p", "r", Bite.DENIED)
    unknown = Bitten("p", "r", Bite.UNKNOWN)
    counted, doubted = [], []
    for each in (through, unknown, through, unknown, denied, through):
        patience.note([each])
        counted.append(bool(patience.twice))
        doubted.append(patience.in_doubt)
    assert counted == [False, False, True, True, False, False]
    assert doubted == [True, True, True, True, False, True]
    patience.note([])
    assert not patience.twice
    assert not patience.in_doubt


def pod(number: int, runtime_class: str = "plain") -> Object:
    spec = {"containers": [{"name": "main", "image": "registry.test/web:1"}], "runtimeClassName": runtime_class}
    meta = {"name": f"pod-{number}", "namespace": "team-a", "uid": str(number)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def tally(count: int) -> Tally:
    found = Tally()
    policies = standing(match=SHARED, permitted=("gvisor",), default="gvisor").policies
    for number in range(count):
        found.take(policies, pod(number), NAMESPACES["team-a"], NOW)
    return found


@pytest.mark.parametrize("api", APIS, ids=lambda each: each.kind)
def test_a_report_has_one_result_per_policy_and_rule_whatever_the_number_of_pods(api: Any) -> None:
    small, large = report(api, "team-a", tally(20)), report(api, "team-a", tally(400))
    (result,) = large["results"]  # type: ignore[misc]
    assert len(result["resources"]) == NAMED
    assert result["properties"]["objects"] == "400"
    assert abs(len(str(small)) - len(str(large))) < 20


@pytest.mark.parametrize("api", APIS, ids=lambda each: each.kind)
def test_a_report_of_hundreds_of_policies_is_one_that_an_api_server_takes(api: Any) -> None:
    """At most 1.5 MiB, with the longest names that there are; what is refused comes first."""
    long = "x" * 253
    found = Tally()
    named = [Named("apps/v1", "ReplicationController", f"{long[3:]}{number:03}", "u" * 36) for number in range(NAMED)]
    for number in range(400):
        mode = Mode.WARN if number < 300 else Mode.ENFORCE
        found.counts["team-a", f"{long[3:]}{number:03}", "class-not-permitted"] = Count(mode, "m" * 4096, 5000, named)
    made = report(api, "team-a", found)
    results: list[Object] = made["results"]  # type: ignore[assignment]
    assert len(json.dumps(made)) < 3 << 19
    assert [each["result"] for each in results[:101]] == ["fail"] * 100 + ["warn"]
    assert results[-1]["message"].startswith("200 more results")
    assert made["summary"] == {"pass": 0, "fail": 100, "warn": 300, "error": 0, "skip": 0}


def test_a_pod_that_would_have_been_changed_counts_and_a_template_does_not() -> None:
    found = Tally()
    policies = standing(match=SHARED, permitted=("gvisor",), default="gvisor").policies
    body = pod(1)
    del body["spec"]["runtimeClassName"]
    found.take(policies, body, NAMESPACES["team-a"], NOW)
    template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t", "namespace": "team-a"}}
    found.take(policies, template | {"template": {"spec": body["spec"]}}, NAMESPACES["team-a"], NOW)
    assert {rule: count.objects for _, rule, count in found.of_namespace("team-a")} == {"default-set": 1}


def test_a_static_pod_counts() -> None:
    found = Tally()
    body = pod(1)
    body["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    found.take(standing(match=SHARED, permitted=("gvisor",)).policies, body, NAMESPACES["team-a"], NOW)
    assert found.counts


def test_a_status_keeps_the_time_of_what_stays() -> None:
    first = statuses.status([statuses.accepted("")], 1, {}, NOW)
    later = NOW + datetime.timedelta(hours=1)
    assert statuses.status([statuses.accepted("")], 1, first, later) == first
    changed = statuses.status([statuses.accepted("a field is unknown")], 2, first, later)
    assert changed["conditions"][0]["lastTransitionTime"] == "2026-11-21T13:00:00Z"  # type: ignore[index]


@pytest.mark.parametrize(
    ("bite", "status"), [(Bite.DENIED, "True"), (Bite.LET_THROUGH, "False"), (Bite.UNKNOWN, "Unknown")]
)
def test_a_policy_bites_when_all_its_probes_were_denied(bite: Bite, status: str) -> None:
    outcomes = [Bitten("p", "one", bite), Bitten("other", "one", Bite.LET_THROUGH)]
    condition = statuses.bites("p", outcomes, [])
    assert condition
    assert condition["status"] == status


def test_a_lease_is_taken_when_nobody_renewed_it_for_its_whole_length() -> None:
    watcher = Watcher()
    assert not watcher.may_take("other", "1", "me", 100.0)
    assert not watcher.may_take("other", "2", "me", 100.0 + LASTS)
    assert not watcher.may_take("other", "2", "me", 100.0 + 2 * LASTS)
    assert watcher.may_take("other", "2", "me", 100.1 + 2 * LASTS)


@pytest.mark.parametrize("holder", ["", "me"])
def test_a_lease_of_nobody_or_one_s_own_is_taken_at_once(holder: str) -> None:
    assert Watcher().may_take(holder, "1", "me", 0.0)


def test_a_board_shows_who_applies_what() -> None:
    board = Board(2)
    board.sign(0, 7)
    assert board.revisions(within=5.0) == [7, 0]
    board.clear(0)
    board.sign(board.controller, 7)
    assert board.revisions(within=5.0) == [0, 0]


def test_a_board_is_whole_at_every_moment() -> None:
    """Whoever reads while a worker writes sees what it wrote before, or now: never a worker that has not beaten."""
    board = Board(2)
    board.sign(1, 7)
    writer = os.fork()
    if writer == 0:
        while True:
            board.sign(1, 7)
    try:
        ends = time.monotonic() + 1
        seen = set()
        while time.monotonic() < ends:
            sign = board.read(1)
            seen.add((ends - 30 < sign.when < ends + 30, sign.revision))
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert seen == {(True, 7)}
