"""What a prober publishes when it could show nothing this time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from casemate.model.boundary import Boundary
from casemate.model.proof import Program, Proof, Result
from casemate.prove.publish import renewed

PROVEN = Proof(
    subject="handler/runsc",
    node="n1",
    handler="runsc",
    named=Boundary.SANDBOX,
    shown=Boundary.SANDBOX,
    result=Result.PROVEN,
    observations=(),
    seconds=0.7,
    time=1000.0,
    programs=(Program(role="runtime", path="/usr/bin/runsc", digest="sha256:ab"),),
    configuration="sha256:cd",
    boot="boot-1",
)
BUSY = replace(PROVEN, result=Result.UNPROVABLE, shown=Boundary.UNKNOWN, time=1900.0)


def test_a_busy_node_is_no_weaker_for_it() -> None:
    assert renewed((PROVEN,), (BUSY,)) == (PROVEN,)


@pytest.mark.parametrize(
    ("older", "found"),
    [
        (PROVEN, replace(PROVEN, time=1900.0)),
        (PROVEN, replace(BUSY, result=Result.WEAKER)),
        (PROVEN, replace(BUSY, time=PROVEN.time + 2700)),
        (PROVEN, replace(BUSY, programs=())),
        (PROVEN, replace(BUSY, configuration="sha256:other")),
        (PROVEN, replace(BUSY, boot="boot-2")),
        (PROVEN, replace(BUSY, subject="handler/kata")),
        (replace(PROVEN, result=Result.WEAKER), BUSY),
        (replace(PROVEN, result=Result.UNPROVABLE), BUSY),
    ],
    ids=["proven", "weaker", "old", "program", "configuration", "boot", "handler", "was weaker", "was unprovable"],
)
def test_an_older_proof_stands_for_the_very_same_and_for_nothing_else(older: Proof, found: Proof) -> None:
    assert renewed((older,), (found,)) == (found,)
