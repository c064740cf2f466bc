"""What the API server is told to ask about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casemate.admission import webhooks

Object = dict[str, Any]


def configurations(**more: object) -> list[Object]:
    return json.loads(json.dumps(webhooks.configurations("casemate-system", **more)))  # type: ignore[arg-type,no-any-return]


def validating() -> Object:
    return configurations()[1]


def asked(configuration: Object) -> set[tuple[str, str, str]]:
    """Group, resource and operation of all rules."""
    rules = [rule for webhook in configuration["webhooks"] for rule in webhook["rules"]]
    return {
        (group, resource, operation)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for operation in rule["operations"]
    }


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "pods"),
        ("", "pods/ephemeralcontainers"),
        ("", "pods/resize"),
        ("", "replicationcontrollers"),
        ("", "podtemplates"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("apps", "statefulsets"),
        ("apps", "daemonsets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
        ("", "namespaces"),
        ("", "namespaces/status"),
        ("", "namespaces/finalize"),
        ("node.k8s.io", "runtimeclasses"),
        ("casemate.dev", "isolationexceptions"),
    ],
)
def test_everything_that_could_go_round_a_policy_is_asked_about(group: str, resource: str) -> None:
    assert {(group, resource, "CREATE"), (group, resource, "UPDATE")} <= asked(validating())


def test_what_cannot_be_changed_any_more_is_not_mutated() -> None:
    mutated = asked(configurations()[0])
    assert ("", "pods", "UPDATE") not in mutated
    assert ("batch", "jobs", "UPDATE") not in mutated
    assert ("apps", "deployments", "UPDATE") in mutated


def test_only_what_a_cluster_needs_to_come_back_fails_open() -> None:
    opened = {
        each["name"] for whole in configurations() for each in whole["webhooks"] if each["failurePolicy"] != "Fail"
    }
    assert opened == {"node-critical.admission.casemate.dev", "policies.admission.casemate.dev"}


def test_kube_system_is_asked_about_in_full_when_both_of_its_webhooks_are() -> None:
    """Whatever one leaves out by its condition, the other takes by the same condition."""
    names = {each["name"]: each for each in validating()["webhooks"]}
    less = names["system.admission.casemate.dev"]["matchConditions"][0]["expression"]
    more = names["node-critical.admission.casemate.dev"]["matchConditions"][0]["expression"]
    assert less == f"!({more})"


def test_custom_resources_are_asked_about_when_named() -> None:
    for each in configurations(kinds=["argoproj.io/v1alpha1/rollouts"]):
        assert {("argoproj.io", "rollouts", "CREATE"), ("argoproj.io", "rollouts", "UPDATE")} <= asked(each)


def test_what_is_as_expected_has_no_gaps() -> None:
    assert not webhooks.gaps(validating(), validating())


def test_more_rules_and_a_bundle_are_no_gaps() -> None:
    found = validating()
    found["webhooks"][0]["rules"].append({"apiGroups": ["x"]})
    found["webhooks"][0]["clientConfig"]["caBundle"] = "abc"
    assert not webhooks.gaps(validating(), found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rules": []}, "rules"),
        ({"failurePolicy": "Ignore"}, "failurePolicy"),
        ({"matchPolicy": "Exact"}, "matchPolicy"),
        ({"namespaceSelector": {"matchLabels": {"a": "b"}}}, "namespaceSelector"),
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, "objectSelector"),
        ({"matchConditions": [{"name": "never", "expression": "false"}]}, "matchConditions"),
    ],
)
def test_whatever_narrows_what_is_asked_about_is_a_gap(change: Object, said: str) -> None:
    found = validating()
    found["webhooks"][0] |= change
    assert webhooks.gaps(validating(), found) == [f"workloads.admission.casemate.dev: {said} differs"]


def test_a_webhook_that_is_missing_is_a_gap() -> None:
    found = validating()
    del found["webhooks"][1]
    assert webhooks.gaps(validating(), found) == ["system.admission.casemate.dev is missing"]
