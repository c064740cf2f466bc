"""The facts that casemate ships: whole, consistent, and true where the tests know better."""

from __future__ import annotations

import datetime

import pytest

from casemate import catalogue
from casemate.catalogue import reading, rows
from casemate.catalogue.conditions import asked
from casemate.catalogue.rows import Defence, Escape, Family, Fit
from casemate.model.assessment import Outcome, Relevance
from casemate.model.boundary import Boundary

SHIPPED = catalogue.load()
SIZES = {"runtimes": 30, "criteria": 25, "profiles": 6, "fits": 50, "escapes": 60, "hardening": 50, "leftovers": 10}
STOPPED: list[tuple[str, Defence, str]] = [
    ("CVE-2019-5736", "userns", "yes"),
    ("CVE-2019-5736", "seccomp", "no"),
    ("CVE-2020-14386", "unprivileged", "yes"),
    ("CVE-2020-14386", "gvisor", "yes"),
    ("CVE-2022-0185", "seccomp", "yes"),
    ("CVE-2022-0492", "lsm", "yes"),
    ("CVE-2022-0847", "userns", "no"),
    ("CVE-2022-23648", "gvisor", "no"),
    ("CVE-2025-52881", "lsm", "no"),
    ("CVE-2026-31431", "seccomp", "no"),
    ("CVE-2026-31431", "unprivileged", "no"),
    ("CVE-2026-53362", "seccomp", "no"),  # plain sockets: no user namespace is needed
    ("CVE-2026-53362", "unprivileged", "no"),
    ("CVE-2026-53359", "kata", "partly"),
    ("CVE-2026-53488", "kata", "no"),
    ("CVE-2026-53488", "confidential", "no"),  # as kata, where nothing else is known
    ("CVE-2026-96812", "default", "n-a"),
    ("CVE-2026-96812", "gvisor", "no"),
]
FITS: list[tuple[str, tuple[Family, ...], Outcome]] = [
    ("R1", ("runc",), Outcome.WORKS),
    ("R1", ("gvisor",), Outcome.FAILS),
    ("R1", ("userns",), Outcome.FAILS),
    ("R5", ("kata",), Outcome.WORKS),
    ("R5", ("confidential", "kata"), Outcome.DIFFERS),
    ("R8", ("kata",), Outcome.WORKS),
    ("R9", ("firecracker", "kata"), Outcome.FAILS),
    ("R22", ("gvisor",), Outcome.FAILS),
    ("R27", ("kata",), Outcome.FAILS),
    ("R32", ("wasm",), Outcome.FAILS),
    ("R8", ("nitro",), Outcome.UNTESTED),
    ("R8", ("runv",), Outcome.UNTESTED),  # no cell
]


@pytest.mark.parametrize("table", SIZES)
def test_a_table_is_full(table: str) -> None:
    assert len(SHIPPED.tables()[table]) >= SIZES[table]


def test_every_rule_of_the_facts_is_a_fit() -> None:
    ids = {row.id for row in SHIPPED.fits}
    assert {f"R{number}" for number in range(1, 37)} <= ids


@pytest.mark.parametrize(("escape", "defence", "answer"), STOPPED)
def test_what_stops_an_escape(escape: str, defence: Defence, answer: str) -> None:
    row = SHIPPED.row(escape)
    assert isinstance(row, Escape)
    assert row.by(defence).answer == answer


@pytest.mark.parametrize(("fit", "families", "outcome"), FITS)
def test_how_a_feature_fares(fit: str, families: tuple[Family, ...], outcome: Outcome) -> None:
    row = SHIPPED.row(fit)
    assert isinstance(row, Fit)
    assert row.cell(families).outcome is outcome


def test_hardly_an_escape_rests_on_what_nobody_read() -> None:
    unread = {row.id for row in SHIPPED.escapes if row.certainty == "known"}
    assert unread <= {"CVE-2017-5123", "CVE-2017-1000112", "CVE-2023-0386"}


def test_an_answer_that_says_nothing_of_its_certainty_is_inferred() -> None:
    row = SHIPPED.row("CVE-2016-5195")
    assert isinstance(row, Escape)
    assert (row.certainty, row.by("seccomp").certainty) == ("documented", "inferred")


def test_escapes_say_something_of_each_defence() -> None:
    needed = {"default", "seccomp", "userns", "lsm", "unprivileged", "gvisor", "kata", "wasm"}
    assert [row.id for row in SHIPPED.escapes if not needed <= row.stopped.keys()] == []


def test_escapes_never_ask_for_missing_hardening() -> None:
    """Else hardening would shrink the set that it is measured by."""
    hardening = {"seccomp", "user-namespace", "may-be-root", "capability", "capabilities-kept", "privilege-escalation"}
    asks = {row.id: {each.predicate for each in asked(row.when)} for row in SHIPPED.escapes}
    assert [row_id for row_id, names in asks.items() if names & hardening] == []


def test_a_user_namespace_alone_undoes_no_page_cache_bug() -> None:
    for row_id in ("CVE-2022-0847", "CVE-2026-31431", "CVE-2026-43284", "CVE-2026-43500"):
        row = SHIPPED.row(row_id)
        assert isinstance(row, Escape)
        assert row.by("userns").answer == "no"


def test_seccomp_is_no_answer_to_who_has_the_capability() -> None:
    row = SHIPPED.row("CVE-2024-1086")
    assert isinstance(row, Escape)
    unless = row.by("seccomp").unless
    assert unless is not None
    assert {argument for each in asked(unless) for argument in each.arguments} == {"NET_ADMIN", "SYS_ADMIN"}


def test_versions_below_a_fix_are_known() -> None:
    assert {row.id for row in SHIPPED.known_bad("runc", "1.3.2")} >= {"CVE-2025-31133", "CVE-2025-52881"}
    assert {row.id for row in SHIPPED.known_bad("gvisor", "release-20260810.0")} == {"CVE-2026-96812"}
    assert SHIPPED.known_bad("runc", "1.5.2") == ()


def test_versions_before_a_bug_do_not_have_it() -> None:
    assert "CVE-2025-47290" not in {row.id for row in SHIPPED.known_bad("containerd", "2.0.9")}
    assert "CVE-2025-47290" in {row.id for row in SHIPPED.known_bad("containerd", "2.1.0")}


def test_a_kernels_version_judges_nothing() -> None:
    """Distributions fix their kernels without a new version."""
    assert SHIPPED.known_bad("kernel", "5.10.0") == ()


def test_fits_of_runc_are_rare_exceptions() -> None:
    told = {row.id: row.under["runc"] for row in SHIPPED.fits if "runc" in row.under}
    assert {row_id for row_id, cell in told.items() if cell.outcome is not Outcome.WORKS} <= {"R32b", "R40"}


def test_confidentiality_is_forced_by_data_alone() -> None:
    forced = {row.id for row in SHIPPED.criteria if row.force is Boundary.CONFIDENTIAL}
    assert forced == {"N7c"}


def test_only_what_a_workload_is_lowers_need_never_what_it_asks_for() -> None:
    """Else a risk more could lower need."""
    risks = {
        "host-network",
        "host-pid",
        "host-ipc",
        "host-path",
        "host-path-writable",
        "privileged",
        "capability-added",
    }
    lowering = [row for row in (*SHIPPED.criteria, *SHIPPED.profiles) if row.points < 0]
    assert {row.id for row in lowering} == {"node-agent", "trust-internal", "trust-system"}
    assert not {each.predicate for row in lowering for each in asked(row.when)} & risks


def test_a_manifest_that_asks_for_nothing_needs_hardening_and_no_more() -> None:
    ids = ("N5", "N5b", "N9a", "N9b", "N9c", "N9d")
    assert sum(row.points for row in SHIPPED.criteria if row.id in ids) == 25


def test_profiles_accept_rules_that_exist() -> None:
    known = {rule.id for rule in SHIPPED.rules}
    assert [name for row in SHIPPED.profiles for name in row.accepts if name not in known] == []


def test_seccomp_says_nothing_inside_sandboxes() -> None:
    rule = next(rule for rule in SHIPPED.hardening if rule.id == "CM301")
    assert rule.relevance.behind(Boundary.SHARED) is Relevance.MATTERS
    assert rule.relevance.behind(Boundary.UNKNOWN) is Relevance.MATTERS
    assert rule.relevance.behind(Boundary.VM) is Relevance.NOT_APPLICABLE
    assert rule.relevance.behind(Boundary.SANDBOX, "wasm") is Relevance.REDUCED


def test_egress_matters_behind_every_boundary() -> None:
    rule = next(rule for rule in SHIPPED.hardening if rule.id == "CM404")
    assert {rule.relevance.behind(boundary) for boundary in Boundary} == {Relevance.MATTERS}


def test_every_runtime_that_gives_a_boundary_says_what_it_costs_or_who_runs_it() -> None:
    silent = [
        row.id
        for row in SHIPPED.runtimes.runtimes
        if row.boundary > Boundary.SHARED and row.overhead is None and not row.managed and not row.note
    ]
    assert silent in ([], ["kata-confidential"])


def test_overheads_are_quantities() -> None:
    costs = [row.overhead.cost() for row in SHIPPED.runtimes.runtimes if row.overhead]
    assert all(cost.source for cost in costs)
    row = SHIPPED.runtimes.by_id("kata-qemu")
    assert row is not None
    assert row.overhead is not None
    assert (row.overhead.cost().memory, row.overhead.cost().cpu) == (320 << 20, 250)


def test_what_a_run_showed_counts_more_than_documents() -> None:
    row = SHIPPED.row("R9")
    assert isinstance(row, Fit)
    test = rows.Tested(
        fit="R9", family="kata", outcome=Outcome.WORKS, version="kata 4.1.0", date=datetime.date(2026, 11, 1)
    )
    cell = row.with_test(test).cell(("kata",))
    assert (cell.outcome, cell.tested, cell.certainty) == (Outcome.WORKS, "kata 4.1.0", "measured")
    assert cell.text == row.cell(("kata",)).text


def test_a_fit_was_tried_or_says_why_it_cannot_be() -> None:
    tried = {test.fit for test in reading.tests()}
    assert [row.id for row in SHIPPED.fits if (row.id in tried) is bool(row.untestable)] == []


def test_runs_are_of_fits_that_exist() -> None:
    known = {row.id for row in SHIPPED.fits}
    assert [test.fit for test in reading.tests() if test.fit not in known] == []
