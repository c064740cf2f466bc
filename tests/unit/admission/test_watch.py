"""A store follows lists and events, and says when something differs."""

from __future__ import annotations

import json

import pytest

from casemate.admission.kube import StatusError
from casemate.admission.watch import Store, TooOldError


def item(name: str, value: int, version: str = "1", namespace: str = "") -> bytes:
    meta = {"name": name, "namespace": namespace, "resourceVersion": version}
    return json.dumps({"metadata": meta, "value": value}).encode()


def event(kind: str, raw: bytes) -> str:
    return json.dumps({"type": kind, "object": json.loads(raw)})


def store() -> Store[int]:
    return Store(lambda raw: int(json.loads(raw)["value"]))


def test_the_first_list_counts_as_a_change_even_if_it_is_empty() -> None:
    found = store()
    assert found.replace([], "7")
    assert (found.synced, found.version) == (True, "7")
    assert not found.replace([], "8")


def test_a_list_replaces_everything() -> None:
    found = store()
    found.replace([item("a", 1), item("b", 2)], "7")
    assert found.replace([item("b", 2)], "9")
    assert found.items == {"/b": 2}


def test_events_are_applied_and_move_the_version_on() -> None:
    found = store()
    found.replace([item("a", 1)], "7")
    assert found.apply(event("ADDED", item("b", 2, "8")))
    assert found.apply(event("MODIFIED", item("b", 3, "9")))
    assert found.apply(event("DELETED", item("a", 1, "10")))
    assert (found.items, found.version) == ({"/b": 3}, "10")


def test_an_event_without_a_difference_is_no_change_but_moves_the_version_on() -> None:
    found = store()
    found.replace([item("a", 1)], "7")
    assert not found.apply(event("MODIFIED", item("a", 1, "8")))
    assert not found.apply(event("BOOKMARK", item("", 0, "20")))
    assert not found.apply(event("DELETED", item("never", 1, "21")))
    assert (found.items, found.version) == ({"/a": 1}, "21")


def test_objects_of_one_name_in_two_namespaces_are_two() -> None:
    found = store()
    found.replace([item("a", 1, namespace="x"), item("a", 2, namespace="y")], "7")
    assert found.items == {"x/a": 1, "y/a": 2}


def test_a_version_that_is_too_old_is_told_apart_from_other_errors() -> None:
    found = store()
    with pytest.raises(TooOldError):
        found.apply('{"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}')
    with pytest.raises(StatusError, match="busy"):
        found.apply('{"type": "ERROR", "object": {"code": 500, "message": "busy"}}')
