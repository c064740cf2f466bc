"""A comparison as people and programs read it."""

from __future__ import annotations

import io
import json

from casemate.model.boundary import Boundary
from casemate.model.comparison import Compared, Comparison, Ending, LineDifference, Trial
from casemate.report.compare import comparison_json, print_comparison
from casemate.report.screen import Screen

REFERENCE = Trial(
    runtime="runc",
    handler="runc",
    version="1.1",
    boundary=Boundary.SHARED,
    ending=Ending.ENDED,
    exit_codes={"web/main": 0},
    start_seconds=0.2,
    run_seconds=1.5,
    memory=3 << 20,
)
SANDBOXED = Trial(
    runtime="gvisor",
    handler="runsc",
    version="2026",
    boundary=Boundary.SANDBOX,
    ending=Ending.ENDED,
    exit_codes={"web/main": 3},
    refused_calls=("userfaultfd",),
)
LINE = LineDifference(container="web/main", stream="stdout", line=2, reference="real\x1b[31m", found=None)
COMPARISON = Comparison(
    items=(Compared(trial=REFERENCE), Compared(trial=SANDBOXED, differs=("exit code", "output"), lines=(LINE,)))
)


def printed(comparison: Comparison) -> str:
    out = io.StringIO()
    print_comparison(comparison, Screen(out))
    return out.getvalue()


def test_the_table_has_a_row_per_runtime_and_ends_with_a_sentence() -> None:
    text = printed(COMPARISON)
    assert "gvisor → runsc" in text
    assert "3.0 MiB" in text
    assert "userfaultfd" in text
    assert text.rstrip().endswith("Otherwise than under runc: gvisor (exit code, output).")


def test_a_line_that_is_missing_is_said_and_control_characters_do_not_reach_the_terminal() -> None:
    text = printed(COMPARISON)
    assert "(no such line)" in text
    assert "\x1b" not in text


def test_what_is_not_observed_is_said_and_not_none() -> None:
    assert "not observed" in printed(COMPARISON)
    first, second = json.loads(comparison_json(COMPARISON))["items"]
    assert first["refusedCalls"] is None
    assert second["refusedCalls"] == ["userfaultfd"]


def test_json_is_a_comparison_with_an_item_per_runtime() -> None:
    document = json.loads(comparison_json(COMPARISON))
    assert (document["kind"], document["reference"], document["differ"]) == ("Comparison", "runc", True)
    assert document["items"][1]["differs"] == ["exit code", "output"]
    assert document["items"][0]["peakMemoryBytes"] == 3 << 20
