"""Probe Pods: what they ask for, and what is made of those that are not proven."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casemate.catalogue import runtimes
from casemate.prove import probe_pods
from casemate.prove.matrix import ClassObject, NodeObject
from casemate.prove.probe_pods import Pod

NODE = NodeObject("n1", {})


def spec(class_name: str, handler: str) -> dict[str, Any]:
    body = probe_pods.manifest("probe-1", ClassObject(class_name, handler, {}), NODE, runtimes.load())
    return body["spec"]  # type: ignore[return-value]


@pytest.mark.parametrize(("handler", "program"), [("runsc", "/probe"), ("wasm", "/probe.wasm"), ("kata", "/probe")])
def test_a_class_of_modules_gets_a_module(handler: str, program: str) -> None:
    assert spec("some", handler)["containers"][0]["command"][0] == program


def test_the_scheduler_places_it_on_its_node_whatever_its_taints() -> None:
    found = spec("gvisor", "runsc")
    terms = found["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]
    assert "nodeName" not in found, "that would go past the scheduler"
    assert found["tolerations"] == [{"operator": "Exists"}]


def test_it_ends_by_itself_and_asks_for_nothing() -> None:
    found = spec("gvisor", "runsc")
    assert found["activeDeadlineSeconds"] <= 120
    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_no_two_pods_have_one_challenge() -> None:
    assert spec("gvisor", "runsc")["containers"][0]["command"] != spec("gvisor", "runsc")["containers"][0]["command"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({}, "nothing is told of it"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]},
            "0/1 nodes are available",
        ),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "no image"}}}]},
            "ErrImageNeverPull no image",
        ),
        ({"phase": "Failed", "message": "Pod was active too long"}, "Pod was active too long"),
    ],
)
def test_why_a_pod_does_not_run_is_told_from_its_status(status: dict[str, Any], told: str) -> None:
    assert msgspec.convert({"status": status}, Pod).told == told
