"""How a case becomes the requests of a client, and what an API server's answers mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from casemate.admission import replay_answers
from casemate.admission.replay_cluster import renewed
from casemate.admission.replay_requests import before, create, difference, operations, place_of, update
from casemate.cli.main import run_command
from casemate.errors import IncompleteError
from casemate.model.corpus import Try
from casemate.model.policy import Rule
from casemate.sources import corpus
from casemate.sources.corpus import merge

FOLDER = Path(__file__).parents[2] / "corpus"
TRIES = {each.id: each for each in corpus.load(FOLDER).tries}
DENIED = 'admission webhook "w" denied the request: casemate: policy tenants: no (class-not-permitted)'


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": None}),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 1}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
    ],
)
def test_a_difference_makes_the_old_into_the_new(old: Any, new: Any, patch: Any) -> None:
    assert difference(old, new) == patch
    assert merge(old, patch) == new


def test_a_merge_patch_becomes_operations_on_what_is_there() -> None:
    held: Any = {"a": {"b/c": 1, "d": 1}}
    found = list(operations(held, {"a": {"b/c": None, "gone": None, "d": 2}, "e": {"f": 1}}))
    assert found == [
        {"op": "remove", "path": "/a/b~1c"},
        {"op": "add", "path": "/a/d", "value": 2},
        {"op": "add", "path": "/e", "value": {"f": 1}},
    ]


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("class-weak", "POST", "/api/v1/namespaces/team-a/pods"),
        ("kind-weak-class/CronJob", "POST", "/apis/batch/v1/namespaces/team-a/cronjobs"),
        ("verb-server-side-apply", "PATCH", "/api/v1/namespaces/team-a/pods/attack"),
        ("anchor-class-weakened", "POST", "/apis/node.k8s.io/v1/runtimeclasses"),
    ],
)
def test_a_create_is_sent_where_its_kind_lives(name: str, method: str, path: str) -> None:
    call = create(TRIES[name])
    assert (call.method, call.path) == (method, path)
    assert ("dryRun", "All") in call.query


def test_an_update_keeps_what_the_api_server_put_there() -> None:
    found = TRIES["update-deployment-to-weak/Deployment"]
    held = before(found, 7)
    assert held
    held["status"] = {"replicas": 1}
    call = update(found, held)
    assert (call.method, call.path) == ("PUT", place_of(held))
    assert call.path.endswith("/attack-7")
    assert b'"replicas":1' in call.body
    assert b'"runtimeClassName":"crun"' in call.body


def answered(each: Try, status: int, message: str) -> Any:
    return replay_answers.read(each, httpx.Response(status, json={"kind": "Status", "message": message}))


def test_a_policys_denial_names_its_rule() -> None:
    found = answered(TRIES["class-weak"], 403, DENIED)
    assert (found.wrong, found.by_server, found.rules) == ("", False, (str(Rule.CLASS_NOT_PERMITTED),))


def test_an_api_server_that_refuses_by_itself_is_told_apart() -> None:
    found = answered(TRIES["class-weak"], 422, "Pod is invalid")
    assert (found.wrong, found.by_server) == ("", True)


def test_what_is_let_in_is_a_bypass() -> None:
    each = TRIES["class-weak"]
    found = replay_answers.read(each, httpx.Response(201, content=each.body))
    assert found.bypassed


@pytest.mark.parametrize(("status", "message"), [(500, 'failed calling webhook "w": EOF'), (429, "later")])
def test_a_webhook_that_was_not_asked_has_not_denied(status: int, message: str) -> None:
    with pytest.raises(IncompleteError):
        answered(TRIES["class-weak"], status, message)


@pytest.mark.parametrize("expires", ["2026-11-02T00:00:00Z", "2026-11-01"])
def test_the_end_of_an_exception_moves_with_the_clock(expires: str) -> None:
    found: Any = renewed({"spec": {"expires": expires}})
    assert found["spec"]["expires"] > expires


def test_no_cluster_is_taken_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["corpus", "run", str(FOLDER), "--against", "native"]) == 2
    assert "no cluster is named" in capsys.readouterr().err
