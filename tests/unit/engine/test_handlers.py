"""Which handlers an engine that was there before us offers, from its CRI status."""

from __future__ import annotations

import json

import pytest

from casemate.catalogue import runtimes
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.handlers import Candidate, default_of, offered

CONFIG = {"containerd": {"defaultRuntimeName": "crun", "runtimes": {"runc": {}, "crun": {}, "runsc": {}, "mine": {}}}}


def status(*listed: str, config: object = None) -> pb.StatusResponse:
    response = pb.StatusResponse(runtime_handlers=[pb.RuntimeHandler(name=name) for name in listed])
    if config is not None:
        response.info["config"] = json.dumps(config)
    return response


def test_containerd_1_tells_its_handlers_in_its_configuration() -> None:
    assert offered(status(config=CONFIG), runtimes.load()) == (
        Candidate("crun", "crun"),
        Candidate("mine", "mine"),
        Candidate("runc", "runc"),
        Candidate("runsc", "gvisor"),
    )


def test_containerd_2_lists_its_handlers_and_the_nameless_default() -> None:
    assert [each.name for each in offered(status("", "kata-qemu", "runc"), runtimes.load())] == ["kata-qemu", "runc"]


@pytest.mark.parametrize(("config", "name"), [(CONFIG, "crun"), ({}, ""), (None, ""), ([], "")])
def test_the_default_handler_is_the_configurations_or_unknown(config: object, name: str) -> None:
    assert default_of(status(config=config)) == name
