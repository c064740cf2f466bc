"""Reviews are read and answered by uid, or refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from casemate.admission import review
from casemate.admission.review import AdmissionRequest, Unreadable
from casemate.errors import InputError
from casemate.model.policy import Patch


def body(**request: object) -> bytes:
    asked = {"uid": "u", "resource": {"group": "", "version": "v1", "resource": "pods"}, "operation": "CREATE"}
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked | request}
    ).encode()


def answered(answer: review.Answer) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(review.encode(answer))
    assert (decoded["apiVersion"], decoded["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = decoded["response"]
    return response


def test_a_request_is_read_with_both_objects() -> None:
    found = review.decode(body(object={"kind": "Pod"}, oldObject={"kind": "Old"}, userInfo={"groups": ["a"]}))
    assert isinstance(found, AdmissionRequest)
    assert (found.new, found.old, found.groups) == ({"kind": "Pod"}, {"kind": "Old"}, ("a",))


def test_fields_of_newer_servers_are_passed_over() -> None:
    assert isinstance(review.decode(body(somethingNew={"a": 1}, options=None)), AdmissionRequest)


@pytest.mark.parametrize("wrong", [{"object": [1]}, {"operation": 7}, {"userInfo": {"groups": "root"}}])
def test_what_cannot_be_read_is_named_by_its_uid(wrong: dict[str, object]) -> None:
    found = review.decode(body(**wrong))
    assert isinstance(found, Unreadable)
    assert found.uid == "u"


def test_an_object_that_is_far_too_deep_is_refused_and_crashes_nothing() -> None:
    deep = body(object={"x": 0}).replace(b'{"x": 0}', b'{"x":' * 100_000 + b"0" + b"}" * 100_000)
    with pytest.raises(InputError, match="deep"):
        review.decode(deep)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"kind": "AdmissionReview"}',
        b"\xff\xfe",
        body().replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"),
        body().replace(b'"AdmissionReview"', b'"ConversionReview"'),
        b"[" * 100_000,
    ],
)
def test_what_is_no_review_is_refused(wrong: bytes) -> None:
    with pytest.raises(InputError, match="not an AdmissionReview"):
        review.decode(wrong)


def test_a_patch_is_base64_of_json_patch() -> None:
    answer = answered(review.allowed("u", patch=[Patch(op="add", path="/spec/x", value="y")]))
    assert answer["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(answer["patch"])) == [{"op": "add", "path": "/spec/x", "value": "y"}]


def test_a_removal_has_no_value() -> None:
    answer = answered(review.allowed("u", patch=[Patch(op="remove", path="/spec/overhead")]))
    assert json.loads(base64.b64decode(answer["patch"])) == [{"op": "remove", "path": "/spec/overhead"}]


def test_an_answer_without_a_patch_names_no_patch_type() -> None:
    assert answered(review.allowed("u")) == {"uid": "u", "allowed": True}


def test_a_denial_says_why() -> None:
    answer = answered(review.denied("u", "because"))
    assert (answer["allowed"], answer["status"]["code"], answer["status"]["message"]) == (False, 403, "because")


def test_long_texts_are_cut_at_characters() -> None:
    answer = answered(review.denied("u", "é" * 5000, warnings=["ü" * 3000, "second"]))
    assert len(answer["status"]["message"].encode()) <= 4096
    assert sum(len(each.encode()) for each in answer["warnings"]) <= 4096
    assert answer["status"]["message"].endswith("…")


def pod_review(**changed: Any) -> bytes:
    pod = {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    pods = {"group": "", "version": "v1", "resource": "pods"}
    asked = {"resource": pods, "operation": "CREATE", "namespace": "team", "object": pod, "oldObject": None, **changed}
    return json.dumps(json.loads(body(**asked)), separators=(",", ":")).encode()


def test_a_pod_that_is_being_made_is_read_at_once() -> None:
    found = review.decode(pod_review(dryRun=True, userInfo={"username": "alice", "groups": ["a"]}))
    assert isinstance(found, review.PodRequest)
    assert (found.made.kind, found.made.namespace, found.operation) == ("Pod", "team", "CREATE")
    assert (found.user_info.username, found.groups, found.dry_run) == ("alice", ("a",), True)


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "UPDATE"},
        {"oldObject": {"kind": "Pod"}},
        {"subResource": "ephemeralcontainers"},
        {"resource": {"group": "example.com", "version": "v1", "resource": "pods"}},
        {"object": {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [], "newField": 1}}},
        {"object": {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"name": "c", "image": "x" * 70_000}]}}},
    ],
    ids=["an update", "an old object", "a subresource", "another group", "an unknown field", "too long"],
)
def test_whatever_else_is_asked_is_read_step_by_step(changed: dict[str, Any]) -> None:
    found = review.decode(pod_review(**changed))
    assert type(found) is AdmissionRequest
    assert found.new is not None
