"""Which handler a sandbox was started under, by what engines record."""

from __future__ import annotations

import json

import pytest

from casemate.engine.cri.born import noted

NAME = "io.kubernetes.cri-o.RuntimeHandler"


def crio(**annotations: str) -> str:
    return json.dumps({"runtimeSpec": {"annotations": annotations}})


@pytest.mark.parametrize(
    ("record", "own", "handler"),
    [
        (json.dumps({"runtimeType": "io.containerd.runc.v2", "runtimeSpec": {"annotations": {}}}), set(), ""),
        (json.dumps({"runtimeType": "", "runtimeSpec": {"annotations": {NAME: "runsc"}}}), {NAME}, ""),
        (crio(**{NAME: "kata"}), {"app"}, "kata"),
        (crio(**{NAME: ""}), set(), ""),
        (crio(**{NAME: "kata"}), {NAME}, None),
        (crio(), set(), None),
        ("{}", set(), ""),
        ("no record", set(), None),
    ],
)
def test_a_sandboxs_handler_is_told_by_the_engine_and_never_by_its_pod(
    record: str, own: set[str], handler: str | None
) -> None:
    assert noted(record, own) == handler
