"""Requests go to who decides about them, and verdicts become answers."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest

from casemate.admission import judge, review
from casemate.admission.judge import Standing, Unread
from casemate.admission.published import Rules
from casemate.admission.review import AdmissionRequest
from casemate.catalogue import tables
from casemate.model.policy import Decision, Match, Mode, NamespaceMatch, Permit, Policy, PolicySettings, PolicySpec

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
SHARED = {"tenancy": "shared"}

Object = dict[str, Any]


def standing(mode: Mode = Mode.ENFORCE, *unread: Unread) -> Standing:
    match = Match(namespaces=NamespaceMatch(labels=SHARED))
    permitted = ("gvisor", Permit(boundary=">=vm"))
    spec = PolicySpec(match=match, default="gvisor", permitted=permitted, mode=mode)
    rules = Rules(revision=1, policies=(Policy(name="tenants", spec=spec),), unread=unread)
    return rules.standing(tables.load(), PolicySettings())


def request(
    new: Object | None, resource: str = "pods", group: str = "", operation: str = "CREATE", **more: object
) -> AdmissionRequest:
    asked = {
        "uid": "u",
        "resource": {"group": group, "version": "v1", "resource": resource},
        "operation": operation,
        "namespace": "team-a",
        "object": new,
    }
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked | more}
    found = review.decode(json.dumps(body).encode())
    assert isinstance(found, AdmissionRequest)
    return found


def pod(**spec: object) -> Object:
    containers = [{"name": "main", "image": "registry.test/web:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers} | spec}


def decided(asked: AdmissionRequest, *, labels: dict[str, str] | None = SHARED) -> Decision:
    return judge.judge(standing(), asked, labels, NOW).decision


def answer(path: str, asked: AdmissionRequest, found: Standing | None = None) -> Object:
    verdict = judge.judge(found or standing(), asked, SHARED, NOW)
    made = {"/mutate": judge.mutated, "/validate": judge.validated}[path](asked.uid, verdict)
    response: Object = json.loads(review.encode(made))["response"]
    return response


def test_a_pod_without_a_class_is_changed_by_mutate() -> None:
    patch = json.loads(base64.b64decode(answer("/mutate", request(pod()))["patch"]))
    assert patch == [{"op": "add", "path": "/spec/runtimeClassName", "value": "gvisor"}]


def test_what_mutate_was_to_change_and_did_not_is_refused_by_validate() -> None:
    found = answer("/validate", request(pod()))
    assert not found["allowed"]
    assert "not made on the way" in found["status"]["message"]


def test_the_change_applied_again_changes_nothing() -> None:
    changed = request(pod(runtimeClassName="gvisor"))
    assert "patch" not in answer("/mutate", changed)
    assert answer("/validate", changed)["allowed"]


def test_mutate_refuses_nothing_and_validate_says_policy_and_rule() -> None:
    asked = request(pod(runtimeClassName="runc"))
    assert answer("/mutate", asked) == {"uid": "u", "allowed": True}
    found = answer("/validate", asked)
    assert (found["allowed"], found["status"]["code"]) == (False, 403)
    assert "policy tenants" in found["status"]["message"]
    assert "class-not-permitted" in found["auditAnnotations"]["enforce"]


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.AUDIT])
def test_policies_that_do_not_enforce_admit_and_leave_a_trace(mode: Mode) -> None:
    found = answer("/validate", request(pod(runtimeClassName="runc")), standing(mode))
    assert found["allowed"]
    assert "tenants:class-not-permitted" in found["auditAnnotations"][str(mode)]
    assert any("not permitted" in each for each in found["warnings"]) is (mode is Mode.WARN)


def test_labels_that_could_not_be_had_deny() -> None:
    assert decided(request(pod(runtimeClassName="gvisor")), labels=None) is Decision.DENY


def test_a_namespace_without_the_labels_is_left_alone() -> None:
    assert decided(request(pod()), labels={}) is Decision.ALLOW


@pytest.mark.parametrize(
    "broken",
    [
        pod(containers="none"),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
        {"kind": "Pod", "spec": pod()["spec"]},
        {},
    ],
)
def test_a_pod_that_cannot_be_read_is_refused(broken: Object) -> None:
    assert decided(request(broken)) is Decision.DENY


def test_an_old_object_that_cannot_be_read_makes_nothing_right() -> None:
    asked = request(pod(runtimeClassName="runc"), operation="UPDATE", oldObject={"kind": "Pod"})
    assert decided(asked) is Decision.DENY


def test_an_update_that_leaves_the_template_alone_passes() -> None:
    old = pod(runtimeClassName="runc")
    assert decided(request(old, operation="UPDATE", oldObject=old)) is Decision.ALLOW


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_operations_that_start_nothing_pass(operation: str) -> None:
    assert decided(request(None, operation=operation, oldObject=pod())) is Decision.ALLOW


def test_objects_without_a_template_pass() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert decided(request(config, "configmaps")) is Decision.ALLOW


def test_a_template_of_a_custom_resource_is_judged() -> None:
    template = {"spec": pod(runtimeClassName="runc")["spec"]}
    custom = {"apiVersion": "agents.test/v1", "kind": "Sandbox", "metadata": {"name": "s"}, "spec": {"pod": template}}
    assert decided(request(custom, "sandboxes", "agents.test")) is Decision.DENY


def namespace(**labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a", "labels": labels}}


@pytest.mark.parametrize("subresource", ["", "status", "finalize"])
def test_a_label_that_policies_choose_by_is_moved_by_guardians_only(subresource: str) -> None:
    asked: Object = {"operation": "UPDATE", "oldObject": namespace(**SHARED), "subResource": subresource}
    assert decided(request(namespace(), "namespaces", **asked)) is Decision.DENY
    guardian = {"userInfo": {"username": "root", "groups": ["system:masters"]}}
    assert decided(request(namespace(), "namespaces", **asked, **guardian)) is Decision.ALLOW


def test_a_class_is_made_by_guardians_only() -> None:
    made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "x"}, "handler": "runc"}
    assert decided(request(made, "runtimeclasses", "node.k8s.io")) is Decision.DENY


def test_a_policy_with_an_unknown_field_is_refused() -> None:
    made = {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "IsolationPolicy",
        "metadata": {"name": "x"},
        "spec": {"permited": ["gvisor"]},
    }
    assert decided(request(made, "isolationpolicies", "casemate.dev")) is Decision.DENY


@pytest.mark.parametrize(
    ("about", "place", "decision"),
    [
        ("", "team-a", Decision.DENY),
        ("team-a", "team-a", Decision.DENY),
        ("team-b", "team-a", Decision.ALLOW),
        ("", "kube-system", Decision.ALLOW),
        ("", "casemate-system", Decision.ALLOW),
    ],
)
def test_an_unreadable_policy_denies_what_it_could_be_about(about: str, place: str, decision: Decision) -> None:
    unread = Unread(title="IsolationPolicy broken", problem="permitted: a number", namespace=about)
    asked = request(pod(runtimeClassName="gvisor"), namespace=place)
    verdict = judge.judge(standing(Mode.ENFORCE, unread), asked, {}, NOW)
    assert verdict.decision is decision
    assert ("IsolationPolicy broken" in judge.message(verdict)) is (decision is Decision.DENY)


def test_a_namespace_s_own_creation_needs_no_labels() -> None:
    assert not judge.is_about_namespace(request(namespace(), "namespaces"))
    assert judge.is_about_namespace(request(pod()))
