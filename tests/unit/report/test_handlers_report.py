"""An engine's status, for people and for programs."""

from __future__ import annotations

import io
import json

from casemate.model.boundary import Boundary
from casemate.model.handler import Handler
from casemate.report.handlers import EngineStatus, print_status, status_json
from casemate.report.screen import Screen

RUNC = Handler(
    name="runc",
    runtime="runc",
    version="1.1.5",
    path="/usr/sbin/runc",
    boundary=Boundary.SHARED,
    works=True,
    start_seconds=0.163,
)
CRUN = Handler(
    name="crun",
    runtime="crun",
    version="1.8.1",
    path="/usr/bin/crun",
    boundary=Boundary.SHARED,
    works=False,
    reason="no plugin in path [/opt/cni/bin]",
)
STATUS = EngineStatus(
    name="default",
    running=True,
    supervised=True,
    cri_socket="/run/casemate/default/containerd.sock",
    engine_version="containerd 1.6.20",
    default_handler="runc",
    handlers=(CRUN, RUNC),
)


def printed(status: EngineStatus) -> str:
    out = io.StringIO()
    print_status(status, Screen(out))
    return out.getvalue()


def test_a_handler_that_fails_says_why_in_the_runtimes_own_words() -> None:
    assert "fails: no plugin in path [/opt/cni/bin]" in printed(STATUS)


def test_the_default_and_start_times_are_shown() -> None:
    line = next(line for line in printed(STATUS).splitlines() if line.startswith("runc"))
    assert line.split() == ["runc", "(default)", "runc", "1.1.5", "shared", "works", "0.16", "s"]


def test_json_has_one_item_per_handler_with_boundaries_by_name() -> None:
    document = json.loads(status_json(STATUS))
    assert document["apiVersion"] == "casemate.dev/v1alpha1"
    assert document["kind"] == "EngineStatus"
    assert [(item["name"], item["boundary"], item["works"]) for item in document["items"]] == [
        ("crun", "shared", False),
        ("runc", "shared", True),
    ]
    assert document["items"][1]["startSeconds"] == 0.163
