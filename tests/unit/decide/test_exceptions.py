"""Exceptions accept what they say, as long as they say, and are all accounted for."""

from __future__ import annotations

import datetime

import pytest
from workloads import workload

from casemate.decide.exceptions import Accepted, apply, parse
from casemate.errors import InputError
from casemate.model.acceptance import ExceptionStatus
from casemate.model.assessment import Assessed, Finding, Has, Need, Recommendation, Relevance, State, Suppression
from casemate.model.boundary import Boundary

TODAY = datetime.date(2026, 11, 21)
HEAD = "apiVersion: casemate.dev/v1alpha1\nkind: ExceptionList\nitems:\n"
ITEM = (
    "- scope: {rules: [CM001], kind: Deployment, namespace: shop, name: app}\n"
    "  reason: moves to Kata\n  owner: team-media\n  expires: 2027-03-31\n"
)


def assessed(*rules: str, annotations: dict[str, str] | None = None, **identity: object) -> Assessed:
    subject = workload(annotations=annotations, **identity)  # type: ignore[arg-type]
    return Assessed(
        workload=subject,
        need=Need(boundary=Boundary.SANDBOX, score=50),
        has=Has(class_name="", handler="", runtime="runc", boundary=Boundary.SHARED, state=State.DECLARED),
        recommendation=Recommendation(
            runtime_class="gvisor", runtime="gvisor", boundary=Boundary.SANDBOX, closes=True, sentence="Set it."
        ),
        findings=tuple(Finding(rule=rule, message="m", relevance=Relevance.MATTERS) for rule in rules),
    )


def accepted(text: str = ITEM, **changed: str) -> tuple[Accepted, ...]:
    for old, new in changed.items():
        text = text.replace(*{"expires": ("2027-03-31", new), "name": ("name: app", f"name: {new}")}[old])
    return parse((HEAD + text).encode(), "exceptions.yaml")


def test_an_exception_accepts_the_findings_of_its_scope() -> None:
    (one, other), audit = apply([assessed("CM001", "CM101"), assessed("CM001", name="web")], accepted(), TODAY)
    assert one.suppressions == (
        Suppression(rule="CM001", reason="moves to Kata", owner="team-media", expires="2027-03-31"),
    )
    assert other.suppressions == ()
    assert [(each.status, each.matched, each.where) for each in audit] == [
        (ExceptionStatus.MATCHED, 1, "exceptions.yaml:4")
    ]


def test_patterns_cover_several_workloads_and_rules() -> None:
    text = ITEM.replace("[CM001]", '["CM1*"]').replace("name: app", 'name: "app*"')
    (one,), audit = apply([assessed("CM001", "CM101", "CM102", "CM102", name="app-2")], accepted(text), TODAY)
    assert [each.rule for each in one.suppressions] == ["CM101", "CM102"]
    assert audit[0].matched == 3


def test_the_last_day_counts() -> None:
    (one,), _ = apply([assessed("CM001")], accepted(expires="2026-11-21"), TODAY)
    assert one.suppressions


def test_an_expired_exception_accepts_nothing_and_says_what_it_would_have() -> None:
    (one,), audit = apply([assessed("CM001")], accepted(expires="2026-11-20"), TODAY)
    assert one.suppressions == ()
    assert (audit[0].status, audit[0].matched) == (ExceptionStatus.EXPIRED, 1)


def test_an_exception_about_nothing_is_unused() -> None:
    _, audit = apply([assessed("CM101")], accepted(), TODAY)
    assert audit[0].status is ExceptionStatus.UNUSED


def test_exceptions_do_not_add_up_to_a_longer_one() -> None:
    two = (*accepted(expires="2026-12-01"), *accepted(name='"*"'))
    (one,), _ = apply([assessed("CM001")], two, TODAY)
    assert one.suppressions[0].expires == "2026-12-01"
    (one,), _ = apply([assessed("CM001")], two, datetime.date(2026, 12, 2))
    assert one.suppressions == ()


INLINE = {
    "casemate.dev/accept": "CM001, CM102",
    "casemate.dev/accept-reason": "legacy",
    "casemate.dev/accept-owner": "team-a",
    "casemate.dev/accept-expires": "2027-01-01",
}


def test_annotations_of_the_object_and_its_template_accept_too() -> None:
    (one,), audit = apply([assessed("CM001", annotations=INLINE, object_annotations=INLINE)], (), TODAY)
    assert [each.owner for each in one.suppressions] == ["team-a"]
    assert [(each.status, each.where) for each in audit] == [
        (ExceptionStatus.MATCHED, "Deployment shop/app (app.yaml:1:0)")
    ]


@pytest.mark.parametrize("key", ["reason", "owner", "expires"])
def test_annotations_that_lack_something_accept_nothing_and_take_nothing_away(key: str) -> None:
    item = assessed("CM001", annotations={**INLINE, f"casemate.dev/accept-{key}": " "})
    (one,), (invalid,) = apply([item], (), TODAY)
    assert (one.suppressions, invalid.status) == ((), ExceptionStatus.EXPIRED)
    assert invalid.reason == f"not valid: {key} missing or wrong"
    (one,), _ = apply([item], accepted(), TODAY)
    assert one.suppressions


WRONG = {
    "expires: 2027-03-31": ("", "`expires` is missing"),
    "2027-03-31": ("next year", "`expires` is no date: next year"),
    "reason: moves to Kata": ("", "`reason` is missing"),
    "team-media": ('""', "`owner` is no text"),
    "team-media\n": ("t\n  rule: CM001\n", "unknown field `rule`"),
    "[CM001]": ("[]", "does not say which rules"),
    "kind: Deployment, ": ("", "`kind` is missing"),
    "namespace: shop, name: app": ('namespace: "*", name: "**"', "the scope is too wide: it is about every workload"),
    "[CM001], kind: Deployment, namespace: shop, name: app": (
        '["*"], kind: "*", namespace: shop, name: "*"',
        "the scope is too wide: it accepts every rule of several workloads",
    ),
}


@pytest.mark.parametrize("old", WRONG)
def test_what_an_exception_lacks_is_an_error_with_its_place(old: str) -> None:
    new, message = WRONG[old]
    with pytest.raises(InputError) as error:
        accepted(ITEM.replace(old, new))
    assert message in error.value.what
    assert error.value.where.startswith("exceptions.yaml:")


def test_all_rules_of_one_workload_can_be_accepted() -> None:
    (one,), _ = apply([assessed("CM001", "CM101")], accepted(ITEM.replace("[CM001]", '["*"]')), TODAY)
    assert len(one.suppressions) == 2


@pytest.mark.parametrize("text", ["", "kind: ExceptionList\n", "apiVersion: v1\nkind: Pod\n", HEAD, "- a\n"])
def test_another_document_is_no_list_of_exceptions(text: str) -> None:
    with pytest.raises(InputError):
        parse(text.encode(), "x.yaml")
