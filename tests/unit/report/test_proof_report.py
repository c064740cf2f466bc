"""Proofs as a table: what was shown, and of those that were made elsewhere also where and when."""

from __future__ import annotations

import io

import pytest

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof, Result, Side
from casemate.report.proof import print_proofs
from casemate.report.screen import Screen

PROOF = Proof(
    subject="handler/runsc",
    node="worker-1",
    handler="runsc",
    named=Boundary.SANDBOX,
    shown=Boundary.SANDBOX,
    result=Result.PROVEN,
    observations=(Observation(id="processes", side=Side.NODE, value="/sandbox", supports=Boundary.SANDBOX),),
    seconds=0.7,
    time=1_000_000_000.0,
)


def printed(*proofs: Proof, afar: bool = False, explain: bool = False) -> list[str]:
    out = io.StringIO()
    print_proofs(proofs, afar=afar, explain=explain, screen=Screen(out))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_proof_from_elsewhere_is_told_with_its_node_and_time() -> None:
    header, row = printed(PROOF, afar=True)
    assert header.split()[:3] == ["SUBJECT", "NODE", "AT"]
    assert row.split()[:4] == ["handler/runsc", "worker-1", "2001-09-09", "01:46:40Z"]


def test_a_proof_of_here_and_now_is_told_without() -> None:
    header, row = printed(PROOF)
    assert "NODE" not in header
    assert "2001" not in row


@pytest.mark.parametrize("explain", [True, False])
def test_what_is_proven_has_its_observations_on_request(explain: bool) -> None:
    lines = printed(PROOF, explain=explain)
    assert ("handler/runsc: processes (the node): /sandbox → up to sandbox" in lines) is explain
