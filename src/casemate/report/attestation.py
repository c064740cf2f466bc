"""A confidential VM's evidence, check by check, as a table and as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from casemate.model.attestation import Attestation
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns

_WORDS: Final = {True: "holds", False: "does not hold", None: "not claimed"}


def attestation_json(found: Attestation) -> str:
    """`kind: Attestation` (DESIGN.md section 4)."""
    return encoded(answer("Attestation", verified=found.verified, **msgspec.to_builtins(found)))


def print_attestation(found: Attestation) -> None:
    """Print a row for each check, and what they come to."""
    table = columns("CHECK", "RESULT", "WHY", folded=["WHY"])
    for each in found.checks:
        table.add_row(each.id, _WORDS[each.passed], each.text)
    screen = Screen()
    screen.print(table)
    verdict = "verified" if found.verified else "not verified"
    screen.print(f"{found.technology}: {verdict}; measurement {found.measurement}", soft_wrap=True)
