"""`rbac: use` compiled: what is asked, what it costs, and who cannot ask."""

from __future__ import annotations

from typing import Any

import pytest
from asked import CLUSTER, policy

from casemate.catalogue import tables
from casemate.errors import InputError, RefusedError
from casemate.model.policy import Policy, PolicySettings
from casemate.policy.compile import cost, gatekeeper, kyverno, native, static
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.tables import tabulated

TARGETS = {"native": native.compile, "kyverno": kyverno.compile, "gatekeeper": gatekeeper.compile}
CHECK = 350_000


def made(*policies: Policy, to: str = "native", partial: bool = False) -> Compiled:
    written = tabulated(policies, (), CLUSTER, tables.load(), PolicySettings())
    return TARGETS[to](written, partial=partial, version="1.36")


def using(name: str = "p", **spec: Any) -> Policy:
    return policy({"rbac": "use", "permitted": ["gvisor"], **spec}, name)


def validating(compiled: Compiled) -> dict[str, dict[str, Any]]:
    """The policies that validate, by the end of their names."""
    found: list[dict[str, Any]] = [each for each in compiled.objects if each["kind"] == "ValidatingAdmissionPolicy"]
    return {each["metadata"]["name"].rpartition("-")[2]: each for each in found}


def validations(compiled: Compiled) -> list[str]:
    return [one["expression"] for each in validating(compiled).values() for one in each["spec"]["validations"]]


@pytest.mark.parametrize("count", [1, 50])
def test_one_question_is_asked_whatever_the_number_of_policies(count: int) -> None:
    asking = [each for each in validations(made(*(using(f"p{n}") for n in range(count)))) if "authorizer" in each]
    assert len(asking) == 1
    assert asking[0].endswith(
        "authorizer.serviceAccount(request.namespace, variables.account).group('node.k8s.io')"
        ".resource('runtimeclasses').namespace(request.namespace).name(variables.final).check('use').allowed()"
    )


def test_nothing_is_asked_where_no_policy_asks() -> None:
    assert "authorizer" not in str(made(policy({"permitted": ["gvisor"]})).objects)


def test_a_mode_asks_for_its_own_policies_alone() -> None:
    compiled = made(using(), policy({"permitted": ["gvisor"], "mode": "warn"}, "w"))
    assert "authorizer" in str(validating(compiled)["enforce"])
    assert "authorizer" not in str(validating(compiled)["warn"])


def test_messages_ask_nothing() -> None:
    """The API server gives messages no authorizer."""
    spec = validating(made(using(mode="warn", default="gvisor")))["warn"]["spec"]
    said = [one.get("messageExpression", "") for one in spec["validations"]]
    assert "authorizer" not in str((spec["variables"], said))


def test_a_class_that_all_permit_is_judged_when_a_right_is_asked_for() -> None:
    (condition,) = validating(made(using()))["enforce"]["spec"]["matchConditions"]
    assert "'gvisor'" not in condition["expression"]


def test_the_question_is_in_the_estimate() -> None:
    found = cost.costs(validating(made(using()))["enforce"], {})
    assert CHECK < found["validations[1]"] < cost.PER_EXPRESSION
    assert found["validations[0]"] < CHECK


def test_more_questions_than_the_api_server_pays_for_are_refused() -> None:
    many = [using(f"p{each}", mode="warn", default=f"class-{each}", permitted=[f"class-{each}"]) for each in range(20)]
    with pytest.raises(InputError, match="the API server spends 10,000,000"):
        made(*many)


@pytest.mark.parametrize(("to", "name"), [("kyverno", "Kyverno"), ("gatekeeper", "Gatekeeper")])
def test_who_cannot_ask_says_which_policy_it_leaves_open(to: str, name: str) -> None:
    with pytest.raises(RefusedError, match=f"{name} cannot do all of it:\n.*p: rbac: use: its expressions cannot ask"):
        made(using(), to=to)
    compiled = made(using(), to=to, partial=True)
    assert "authorizer" not in str(compiled.objects)
    assert "rbac: use" in str([each["metadata"] for each in compiled.objects])
    assert any(each.part == "rbac: use" and each.open for each in compiled.gaps)


def test_files_on_the_api_servers_disk_ask_as_objects_do() -> None:
    assert "authorizer.serviceAccount" in str(static.static(made(using()), "1.36").objects)


def test_that_other_authorizers_count_too_is_noted() -> None:
    noted = [str(each) for each in made(using()).gaps if each.part == "rbac"]
    assert noted == [
        "p: rbac: the API server asks all of its authorizers, not RBAC alone: what another one allows is allowed"
    ]
