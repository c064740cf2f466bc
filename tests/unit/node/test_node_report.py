"""What people and programs read of a node."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

sys.path.append(str(Path(__file__).parent))

from sound_node import NODE, with_handler, with_settings

from casemate.model.node import Unseen
from casemate.model.node_plan import FileChange, Measured, Outcome, Plan, PlannedHandler, Restart
from casemate.node import checks
from casemate.report import node_doctor, node_plan

HANDLER = PlannedHandler(name="runsc", runtime="gvisor", class_name="gvisor", there=False, programs=("/b/runsc",))
MEASURED = Measured(
    handler="runsc", memory=47 << 20, default_memory=4 << 20, start_seconds=1.2, default_start_seconds=0.3, tries=3
)
CHANGE = FileChange(path="/etc/c.toml", before="a = 1\n", after="a = 1\nb = 2\n", why="no drop-in is read here: runsc")
PLAN = Plan(
    config_file="/etc/c.toml",
    socket="/run/c.sock",
    changes=(CHANGE,),
    handlers=(HANDLER,),
    restart=Restart(how="systemd", unit="containerd.service"),
)


def test_a_failed_check_shows_what_failed_it_and_the_fix() -> None:
    facts = with_settings(tcp_address="0.0.0.0:9999")
    text = node_doctor.doctor_text(facts, checks.run(facts))
    assert "✗ fail  CN104 The runtime's API is not on TCP\n    the API is served on 0.0.0.0:9999\n    → remove" in text
    assert "1 fail, " in text


def test_many_things_that_one_reason_hides_are_one_line() -> None:
    facts = replace(NODE, kubelet=Unseen("no kubelet runs here"))
    text = node_doctor.doctor_text(facts, checks.run(facts))
    assert text.count("no kubelet runs here") == 1


def test_a_handler_shows_what_it_starts_and_what_is_missing() -> None:
    facts = with_handler("runsc", missing=("runsc",), runtime="", program=None)
    text = node_doctor.doctor_text(facts, checks.run(facts))
    assert "/usr/bin/containerd-shim-runsc-v1 missing: runsc" in text


def test_json_has_an_item_per_check_and_nothing_unseen_passes() -> None:
    facts = replace(NODE, configuration=Unseen("not allowed"))
    report = json.loads(node_doctor.doctor_json(facts, checks.run(facts)))
    assert (report["apiVersion"], report["kind"]) == ("casemate.dev/v1alpha1", "NodeReport")
    assert len(report["items"]) == len(checks.rows())
    assert report["runtime"]["unseen"] == "not allowed"
    assert next(each for each in report["items"] if each["id"] == "CN104")["result"] == "could not look"


def test_a_plan_is_a_diff_and_a_restart() -> None:
    text = node_plan.plan_text(PLAN)
    assert text.startswith("# no drop-in is read here: runsc\n--- /etc/c.toml\n+++ /etc/c.toml\n")
    assert "\n+b = 2\n" in text
    assert text.endswith("restart: systemctl restart containerd.service\n")
    assert json.loads(node_plan.plan_json(PLAN))["kind"] == "NodePlan"


def test_an_empty_plan_says_so() -> None:
    there = replace(PLAN, changes=(), handlers=(replace(HANDLER, there=True),))
    assert node_plan.plan_text(there) == "there already: runsc\nnothing is to be changed\n"


def test_a_class_has_the_overhead_that_was_measured_and_selects_prepared_nodes() -> None:
    done = Outcome(changed=("/etc/c.toml",), handlers=(HANDLER,), measured=(MEASURED,))
    (made,) = node_plan.runtime_classes(done)
    assert made["overhead"] == {"podFixed": {"memory": "43Mi"}}
    assert made["scheduling"] == {"nodeSelector": {"node.casemate.dev/runsc": "ready"}}
    assert "runsc: works; a Pod starts in 1.20 s (default 0.30 s)" in node_plan.outcome_text(done)


@pytest.mark.parametrize("reason", ["", "no image:\nnot {found"])
def test_what_apply_prints_can_be_applied(reason: str) -> None:
    done = Outcome(changed=("/etc/c.toml",), handlers=(HANDLER,), measured=(replace(MEASURED, reason=reason),))
    documents = [each for each in yaml.safe_load_all(node_plan.outcome_text(done)) if each is not None]
    assert documents == node_plan.runtime_classes(done)


def test_a_handler_that_was_not_tried_gets_no_class() -> None:
    untried = Outcome(changed=(), handlers=(HANDLER,), measured=(replace(MEASURED, reason="no image"),))
    assert node_plan.runtime_classes(untried) == []
    assert "runsc: not tried: no image" in node_plan.outcome_text(untried)
