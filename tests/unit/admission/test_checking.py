"""What is wrong with policies, as the condition of each that has its part in it."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Any

import pytest

from casemate.admission import checking, statuses
from casemate.admission.checking import Checker, Findings
from casemate.admission.published import Rules
from casemate.catalogue import tables
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import (
    ExceptionSpec,
    Match,
    NamespaceMatch,
    Policy,
    PolicyException,
    PolicySettings,
    PolicySpec,
    Rule,
)

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
CLASSES = tuple(
    RuntimeClass(metadata=ObjectMeta(name=name), handler=handler)
    for name, handler in (("gvisor", "runsc"), ("kata", "kata-qemu"), ("plain", "runc"))
)
TEAM_A = Match(namespaces=NamespaceMatch(names=("team-a",)))

Object = dict[str, Any]


def policy(name: str, namespace: str = "", **spec: Any) -> Policy:
    return Policy(name=name, namespace=namespace, spec=PolicySpec(**{"match": TEAM_A} | spec))


def exception(expires: str) -> PolicyException:
    spec = ExceptionSpec(
        reason="moves",
        owner="team-a",
        expires=expires,
        policies=("tenants",),
        rules=(Rule.CLASS_UNSET,),
        scope=TEAM_A,
    )
    return PolicyException(name="tenants", spec=spec)


def rules(*policies: Policy, exceptions: tuple[PolicyException, ...] = ()) -> Rules:
    return Rules(revision=1, policies=policies, exceptions=exceptions, runtime_classes=CLASSES, complete=True)


def found(of: Rules) -> Findings:
    catalogue = tables.load()
    policies = of.standing(catalogue, PolicySettings()).policies
    return checking.findings(of, policies, {"team-a": {}}, catalogue, NOW)


def sound(of: Rules, title: str, kind: str = "IsolationPolicy") -> Object:
    return statuses.sound(found(of).get((kind, title), ()), "")


def test_both_of_two_policies_in_conflict_say_so() -> None:
    of = rules(policy("one", permitted=("gvisor",)), policy("two", permitted=("kata",)))
    for title in ("one", "two"):
        condition = sound(of, title)
        assert (condition["status"], condition["reason"]) == ("False", "EmptyIntersection")
        assert "IsolationPolicy two: spec.permitted: permits no class that one permits" in condition["message"]


def test_a_policy_and_one_that_narrows_it_too_much_both_say_so() -> None:
    narrowing = policy("strict", "team-a", match=Match(), permitted=("kata",))
    of = rules(policy("one", permitted=("gvisor",)), narrowing)
    assert [sound(of, each)["reason"] for each in ("one", "team-a/strict")] == ["EmptyIntersection"] * 2


@pytest.mark.parametrize(
    ("of", "status", "reason"),
    [
        (rules(policy("one", permitted=("gvisor",), default="gvisor")), "True", "NothingFound"),
        (rules(policy("one", permitted=("gvisor",), default="kata")), "False", "DefaultNotPermitted"),
        (rules(policy("one", permitted=("plain", "gvisor"), minimum="sandbox")), "True", "Warnings"),
        (
            rules(
                policy("one", default="gvisor"),
                policy("two", default="kata", permitted=("gvisor", "kata")),
            ),
            "True",
            "Warnings",
        ),
        (
            rules(policy("one", permitted=("plain",), minimum="vm", hardening=None)),
            "False",
            "EmptyIntersection",
        ),
    ],
    ids=["nothing", "default", "dead entry", "unreachable default", "denies everything"],
)
def test_a_policy_is_sound_unless_there_is_an_error(of: Rules, status: str, reason: str) -> None:
    condition = sound(of, "one")
    assert (condition["status"], condition["reason"]) == (status, reason)


def test_an_exception_is_not_taken_for_the_policy_of_its_name() -> None:
    of = rules(policy("tenants", permitted=("gvisor",)), exceptions=(exception("2026-11-20"),))
    assert sound(of, "tenants")["status"] == "True"
    assert sound(of, "tenants", "IsolationException")["reason"] == "ExceptionExpired"


def test_what_cannot_be_read_is_neither_sound_nor_not() -> None:
    assert statuses.sound((), "a field is unknown")["status"] == "Unknown"


def test_a_policy_in_conflict_with_hundreds_has_a_status_like_any_other() -> None:
    many = (policy(f"p{number:03}", permitted=("kata",)) for number in range(300))
    message = sound(rules(policy("one", permitted=("gvisor",)), *many), "one")["message"]
    assert len(message) <= 4096
    assert message.count("\n") == 5
    assert message.endswith("more")


def test_thousands_of_policies_of_namespaces_are_checked_in_seconds() -> None:
    own = (policy("strict", f"team-{number}", match=Match(), permitted=("gvisor",)) for number in range(2000))
    of = rules(policy("one", match=Match(), permitted=("gvisor", "kata")), *own)
    began = time.process_time()
    assert not found(of)
    assert time.process_time() - began < 20


def test_nothing_is_checked_twice_until_an_exception_ends() -> None:
    async def both(of: Rules) -> tuple[Findings, Findings]:
        catalogue = tables.load()
        checker = Checker(catalogue)
        policies = of.standing(catalogue, PolicySettings()).policies
        first = await checker.found(of, policies, {})
        await asyncio.sleep(0.005)
        return first, await checker.found(of, policies, {})

    now = datetime.datetime.now(datetime.UTC)
    first, second = asyncio.run(both(rules(policy("one"))))
    assert first is second
    soon = (now + datetime.timedelta(milliseconds=1)).isoformat()
    first, second = asyncio.run(both(rules(policy("tenants"), exceptions=(exception(soon),))))
    assert second[("IsolationException", "tenants")][0].id == "exception-expired"
