"""Evidence of a confidential VM, as it is told."""

from __future__ import annotations

import json

import pytest

from casemate.model.attestation import Attestation, Check
from casemate.report.attestation import attestation_json, print_attestation


def attestation(*passed: bool | None) -> Attestation:
    checks = tuple(Check(id=f"c{number}", passed=each, text="[why]") for number, each in enumerate(passed))
    return Attestation(technology="tdx", measurement="ab", report_data="", debug=False, tcb={}, checks=checks)


@pytest.mark.parametrize(
    ("passed", "verified"), [((True, True), True), ((True, None), False), ((True, False), False), ((), False)]
)
def test_evidence_is_verified_when_every_check_holds_and_there_is_one(
    passed: tuple[bool | None, ...], verified: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = attestation(*passed)
    assert json.loads(attestation_json(found))["verified"] is verified
    print_attestation(found)
    assert f"tdx: {'verified' if verified else 'not verified'}; measurement ab\n" in capsys.readouterr().out


def test_each_check_has_its_word(capsys: pytest.CaptureFixture[str]) -> None:
    print_attestation(attestation(True, False, None))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1:4] == [
        ["c0", "holds", "[why]"],
        ["c1", "does", "not", "hold", "[why]"],
        ["c2", "not", "claimed", "[why]"],
    ]
