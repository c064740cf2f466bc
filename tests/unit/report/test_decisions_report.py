"""The table of decisions: which class each workload got, and why."""

from __future__ import annotations

import io

from casemate.model.boundary import Boundary
from casemate.model.decision import Decision
from casemate.report.pods import print_decisions
from casemate.report.screen import Screen

DECISIONS = [
    Decision(workload="Pod a/web", runtime_class="", need=Boundary.SHARED, boundary=Boundary.SHARED, reason="it fits"),
    Decision(
        workload="Pod a/worker",
        runtime_class="gvisor",
        need=Boundary.SANDBOX,
        boundary=Boundary.SANDBOX,
        reason="it needs [sandbox]",
    ),
]


def test_every_decision_is_a_line_with_its_reason() -> None:
    written = io.StringIO()
    print_decisions(DECISIONS, Screen(written))
    assert [line.split() for line in written.getvalue().splitlines()] == [
        ["WORKLOAD", "CLASS", "NEEDS", "GETS", "WHY"],
        ["Pod", "a/web", "(default)", "shared", "shared", "it", "fits"],
        ["Pod", "a/worker", "gvisor", "sandbox", "sandbox", "it", "needs", "[sandbox]"],
    ]
