"""Which findings count, and what state that leaves a workload in: the same for every report and the exit code."""

from __future__ import annotations

import pytest
from assessed import ACCEPTED, GAP, PRIVILEGED, UNUSED, assessed, assessment, fine, workload
from msgspec.structs import replace

from casemate.model.assessment import Assessed, Finding, Relevance, Suppression
from casemate.model.boundary import Boundary
from casemate.model.fingerprint import fingerprints
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.report.assess_document import FailOn, Standing, gone, judge

REDUCED = Finding(rule="CM102", message="may gain privileges", relevance=Relevance.REDUCED)
OF_PRIVILEGED = Suppression(rule="CM101", reason="builds images", owner="team-ci", expires="2027-01-01")

STANDINGS = [
    ("a boundary below need", assessed(), FailOn.GAP, Standing.GAP),
    ("an unknown boundary", assessed(has=Boundary.UNKNOWN, need=Boundary.SHARED), FailOn.GAP, Standing.GAP),
    ("enough, though weak", assessed(need=Boundary.SHARED), FailOn.GAP, Standing.OK),
    ("enough, weak, and weakness fails", assessed(need=Boundary.SHARED), FailOn.FINDING, Standing.WEAK),
    ("a reduced weakness alone", assessed(need=Boundary.SHARED, findings=(REDUCED,)), FailOn.FINDING, Standing.OK),
    ("an accepted gap", assessed(suppressions=(ACCEPTED,)), FailOn.GAP, Standing.ACCEPTED),
    ("an accepted gap beside a weakness", assessed(suppressions=(ACCEPTED,)), FailOn.FINDING, Standing.WEAK),
    ("all accepted", assessed(suppressions=(ACCEPTED, OF_PRIVILEGED)), FailOn.FINDING, Standing.ACCEPTED),
    ("another rule accepted", assessed(suppressions=(OF_PRIVILEGED,)), FailOn.GAP, Standing.GAP),
]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "fail_on", "standing"), [case[1:] for case in STANDINGS], ids=[c[0] for c in STANDINGS]
)
def test_a_workload_stands_as_its_worst_finding_that_counts(
    item: Assessed, fail_on: FailOn, standing: Standing
) -> None:
    (entry,) = judge([item], fail_on)
    assert entry.standing is standing


def test_what_the_baseline_knows_fails_no_more() -> None:
    item = assessed()
    (entry,) = judge([item], FailOn.FINDING, frozenset(fingerprints(item)))
    assert entry.standing is Standing.KNOWN
    assert not entry.weaknesses


def test_a_new_weakness_fails_beside_a_known_gap() -> None:
    known = fingerprints(assessed(findings=()))
    (entry,) = judge([assessed()], FailOn.FINDING, frozenset(known))
    assert entry.standing is Standing.WEAK


@pytest.mark.parametrize(
    ("need", "has", "standing"),
    [
        (Boundary.VM, Boundary.SHARED, Standing.GAP),
        (Boundary.SANDBOX, Boundary.UNKNOWN, Standing.GAP),
        (Boundary.SANDBOX, Boundary.SHARED, Standing.KNOWN),
        (Boundary.SANDBOX, Boundary.HARDENED, Standing.KNOWN),
        (Boundary.HARDENED, Boundary.SHARED, Standing.KNOWN),
    ],
)
def test_a_known_gap_that_widens_is_new(need: Boundary, has: Boundary, standing: Standing) -> None:
    before = frozenset(fingerprints(assessed(need=Boundary.SANDBOX, has=Boundary.SHARED)))
    (entry,) = judge([assessed(need=need, has=has)], FailOn.GAP, before)
    assert entry.standing is standing


def test_what_is_gone_since_the_baseline_is_counted() -> None:
    before = fingerprints(assessed())
    assert gone(judge([assessed(findings=())]), before) == 2


def test_never_fails_nothing_and_hides_nothing() -> None:
    shown = assessment(assessed(), fail_on=FailOn.NEVER)
    assert shown.entries[0].standing is Standing.GAP
    assert not shown.failed


def test_what_failed_comes_first_and_the_widest_gap_before_all() -> None:
    items = [fine("web"), assessed("old", suppressions=(ACCEPTED,)), assessed("b"), assessed("wide", need=Boundary.VM)]
    for order in (items, items[::-1]):
        assert [each.item.workload.name for each in judge(order)] == ["wide", "b", "old", "web"]


def test_unused_and_expired_exceptions_are_stale() -> None:
    assert assessment(assessed(), exceptions=(UNUSED,)).stale() == (UNUSED,)


class TestFingerprints:
    def test_they_do_not_depend_on_where_the_manifest_is(self) -> None:
        moved = assessed(subject=workload(file="elsewhere/other.yaml"))
        assert fingerprints(moved) == fingerprints(assessed())

    def test_they_do_not_depend_on_lines_and_messages(self) -> None:
        changed = replace(PRIVILEGED, line=99, column=1, message="other words")
        assert fingerprints(assessed(findings=(changed,))) == fingerprints(assessed(findings=(PRIVILEGED,)))

    def test_a_container_in_front_changes_nothing(self) -> None:
        subject = workload()
        spec = PodSpec(containers=(Container(name="proxy", image="p"), *subject.spec.containers))
        second = replace(PRIVILEGED, path=PRIVILEGED.path.replace("[0]", "[1]"))
        pushed = assessed(subject=replace(subject, spec=spec), findings=(second,))
        assert fingerprints(pushed) == fingerprints(assessed(findings=(PRIVILEGED,)))

    def test_they_tell_workloads_rules_fields_and_repeats_apart(self) -> None:
        twice = assessed(findings=(PRIVILEGED, PRIVILEGED, replace(PRIVILEGED, path="spec.hostPID")))
        others = [assessed("other"), assessed(subject=workload(namespace="b")), assessed(subject=workload(kind="Job"))]
        prints = [*fingerprints(twice), *(each for item in others for each in fingerprints(item))]
        assert len(prints) == len(set(prints))

    def test_a_path_beyond_the_containers_is_kept(self) -> None:
        odd = replace(GAP, path="spec.template.spec.containers[7].image")
        assert len(fingerprints(assessed(findings=(odd,)))) == 2
