"""`rbac: use` on a real API server: its authorizer answers as casemate reads Roles and bindings (`native.RIGHTS`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from apiserver import Running
from native import FLAGS, Force, Guarded, exception, policy

from casemate.model.policy import Decision
from casemate.sources.templates import wrap

Object = dict[str, Any]

USING = Force((policy("using", {"rbac": "use"}),))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Running(tmp_path_factory.mktemp("rights"), *FLAGS) as cluster:
        yield Guarded(cluster)


def pod(class_name: str = "", account: str = "", namespace: str = "team-a") -> Object:
    spec: Object = {"containers": [{"name": "app", "image": "nginx"}]}
    if class_name:
        spec["runtimeClassName"] = class_name
    if account:
        spec["serviceAccountName"] = account
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace}, "spec": spec}


CASES = [
    ("its right, by a RoleBinding here", pod("gvisor", "ci"), "allow"),
    ("a right for another class", pod("kata", "ci"), "deny"),
    ("another account's right", pod("gvisor", "other"), "deny"),
    ("the default account, which may only look", pod("gvisor"), "deny"),
    ("a RoleBinding of another namespace", pod("slow", "ci"), "deny"),
    ("an account of that name elsewhere", pod("gvisor", "ci", "team-b"), "deny"),
    ("the right of all accounts of the namespace", pod("kata", "other", "team-b"), "allow"),
    ("the right of all accounts, by any verb", pod("runc", "other"), "allow"),
    ("a right for every class", pod("mystery", "trusted"), "allow"),
    ("no class", pod("", "other"), "allow"),
]


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "CronJob"])
def test_the_api_server_answers_as_the_evaluator(guarded: Guarded, kind: str) -> None:
    guarded.install(USING.compiled())
    for about, value, decision in CASES:
        body = value if kind == "Pod" else wrap(value, kind)
        said = guarded.create(body)  # By alice, who may use every class.
        assert (said.decision, said.rules) == (decision, {"class-not-granted"} if decision == "deny" else set()), about
        assert (USING.verdict(body).decision is Decision.DENY) == (decision == "deny"), about


def test_the_message_names_account_class_and_policy(guarded: Guarded) -> None:
    guarded.install(USING.compiled())
    said = guarded.create(pod("gvisor", "other")).message
    assert "casemate: using: service account team-a/other has no right to use class gvisor [class-not-granted]" in said


def test_a_default_needs_the_right_too(guarded: Guarded) -> None:
    guarded.install(Force((policy("p", {"rbac": "use", "default": "gvisor"}),)).compiled())
    assert guarded.create(pod("", "ci")).class_name == "gvisor"
    assert guarded.create(pod("", "other")).rules == {"class-not-granted"}


def test_an_update_to_an_account_without_the_right_is_refused_and_no_other(guarded: Guarded) -> None:
    guarded.clear()
    running = wrap(pod("gvisor", "other"), "Deployment")
    assert guarded.create(running, keep=True).decision == "allow"
    guarded.install(USING.compiled())
    scaled = wrap(pod("gvisor", "other"), "Deployment")
    scaled["spec"]["template"]["spec"]["hostname"] = "changed"
    assert guarded.update(scaled).decision == "allow"
    assert guarded.update(wrap(pod("gvisor", "another"), "Deployment")).rules == {"class-not-granted"}
    assert guarded.update(wrap(pod("gvisor", "ci"), "Deployment")).decision == "allow"
    guarded.remove(running)


def test_an_exception_accepts_a_missing_right(guarded: Guarded) -> None:
    accepted: Object = {"policies": ["using"], "rules": ["class-not-granted"], "permitted": ["kata"]}
    scope: Object = {"scope": {"serviceAccounts": ["ci"]}, "expires": "2026-12-31"}
    guarded.install(Force(USING.policies, (exception("e", accepted | scope),)).compiled())
    assert guarded.create(pod("kata", "ci")).decision == "allow"
    assert guarded.create(pod("slow", "ci")).rules == {"class-not-granted"}


def test_policies_that_warn_judge_of_the_default_that_each_would_set(guarded: Guarded) -> None:
    specs: list[Object] = [{"default": "gvisor"}, {"default": "kata"}, {}]
    force = Force(tuple(policy(f"p{n}", {"rbac": "use", "mode": "warn", **each}) for n, each in enumerate(specs)))
    guarded.install(force.compiled())
    for value in (pod("", "ci"), pod("kata", "ci"), pod("", "trusted"), pod("", "other", "team-b")):
        path = f"/api/v1/namespaces/{value['metadata']['namespace']}/pods?dryRun=All"
        answer = guarded.client.post(path, json=value)
        warned = {f"p{n}" for n in range(3) if f"p{n}: service account" in answer.headers.get("Warning", "")}
        assert warned == {each.policy for each in force.verdict(value).reasons if each.rule == "class-not-granted"}
