"""A Pod that is read at once is what it is when it is read step by step, or is left to that."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from casemate.model.workload import Workload
from casemate.sources import requests
from casemate.sources.pods import WrittenPod, workload

CONTAINER = '{"name":"c","image":"nginx"}'
OWNER = '{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"u","controller":true}'
DECODER = msgspec.json.Decoder(WrittenPod)


def written(spec: str = "", meta: str = '"name":"a"', outer: str = "", containers: str = f"[{CONTAINER}]") -> bytes:
    spec = f'{{"containers":{containers}{"," if spec else ""}{spec}}}'
    return f'{{"kind":"Pod","apiVersion":"v1","metadata":{{{meta}}},"spec":{spec}{outer}}}'.encode()


def at_once(text: bytes) -> Workload | None:
    try:
        return workload(DECODER.decode(text), "team")
    except msgspec.DecodeError:
        return None


def step_by_step(text: bytes) -> Workload:
    (found,) = requests.workloads(msgspec.json.decode(text), "team")
    return found


READ = {
    "plain": written(),
    "named by its maker": written(meta='"generateName":"a-","uid":"x","namespace":"other"'),
    "labels and owners": written(
        meta=f'"labels":{{"a":"b"}},"annotations":{{"c":"d"}},"ownerReferences":[{OWNER}],"creationTimestamp":null'
    ),
    "managed fields": written(meta='"managedFields":[{"manager":"m"}],"resourceVersion":"1"'),
    "a status": written(outer=',"status":{"phase":"Pending"}'),
    "nulls where a value may lack": written('"runtimeClassName":null,"hostNetwork":null'),
    "a class twice": written('"runtimeClassName":"runc","runtimeClassName":"gvisor"'),
    "a specification twice": written(outer=f',"spec":{{"containers":[{CONTAINER}],"hostPID":true}}'),
    "all lists of containers": written(f'"initContainers":[{CONTAINER}],"ephemeralContainers":[{CONTAINER}]'),
    "numbers": written('"priority":-0,"terminationGracePeriodSeconds":30,"resources":{"limits":{"cpu":1.5}}'),
}
LEFT = {
    "an unknown field": written('"newField":true'),
    "a null for a map": written('"nodeSelector":null'),
    "a wrong type": written('"hostNetwork":"true"'),
    "a number that is no integer": written('"priority":1.0'),
    "a number for a text": written(meta='"labels":{"a":1}'),
    "no image": written(containers='[{"name":"c"}]'),
    "no container": written(containers="[]"),
    "another kind": written().replace(b'"Pod"', b'"Pod2"'),
    "another version": written().replace(b'"v1"', b'"v2"'),
    "not JSON": b"{",
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_a_pod_read_at_once_is_the_same(text: bytes) -> None:
    assert at_once(text) == step_by_step(text)


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_what_is_not_exactly_a_pod_is_left_to_others(text: bytes) -> None:
    assert at_once(text) is None


def test_every_field_of_a_security_context_is_read() -> None:
    context: dict[str, Any] = {"privileged": True, "capabilities": {"add": ["NET_RAW"]}, "procMount": "Unmasked"}
    text = written(containers=json.dumps([{"name": "c", "image": "nginx", "securityContext": context}]))
    assert at_once(text) == step_by_step(text)
