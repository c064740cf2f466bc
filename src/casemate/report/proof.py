"""Proofs as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof, Result, Side, item
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns

_SHAPES = {Result.PROVEN: "✓", Result.WEAKER: "✗", Result.UNPROVABLE: "?"}
_MOST_WORDS = 100


def proofs_json(proofs: Sequence[Proof]) -> str:
    """`kind: ProofList` with one item per subject (DESIGN.md section 4)."""
    return encoded(answer("ProofList", items=[item(each) for each in proofs]))


def print_proofs(
    proofs: Sequence[Proof], *, explain: bool = False, afar: bool = False, screen: Screen | None = None
) -> None:
    """Print a row for each proof, what keeps one from being proven, and with `explain` every observation.

    Proofs that were not made here and now (`afar`) are told with node and time.
    """
    screen = screen or Screen()
    names = ("SUBJECT", *(("NODE", "AT") if afar else ()), "HANDLER", "NAMED", "SHOWN", "RESULT", "TIME", "PROGRAM")
    table = columns(*names, folded=["PROGRAM"], right=["TIME"])
    for proof in proofs:
        subject, *row = _row(proof)
        table.add_row(subject, *((proof.node, _when(proof)) if afar else ()), *row)
    screen.print(table)
    for proof in proofs:
        subject = f"{proof.subject} on {proof.node}" if afar and proof.node else proof.subject
        for each in proof.observations if explain else proof.reasons:
            screen.print(f"{subject}: {_line(each)}", soft_wrap=True)


def summary(proofs: Sequence[Proof]) -> str:
    """One sentence on all of them."""
    proven = sum(each.result is Result.PROVEN for each in proofs)
    others = [each.subject for each in proofs if each.result is not Result.PROVEN]
    return f"{proven} of {len(proofs)} proven" + (f"; not: {', '.join(others)}" if others else "")


def _row(proof: Proof) -> tuple[str, ...]:
    program = proof.programs[0] if proof.programs else None
    told = f"{program.version or program.path} {program.digest[:19]}" if program else ""
    return (
        proof.subject,
        proof.handler,
        str(proof.named),
        str(proof.shown),
        f"{_SHAPES[proof.result]} {proof.result}",
        f"{proof.seconds:.2f} s",
        told,
    )


def _when(proof: Proof) -> str:
    """When it was proven; nothing where it was not."""
    return f"{datetime.fromtimestamp(proof.time, UTC):%Y-%m-%d %H:%M:%SZ}" if proof.time else ""


def _line(seen: Observation) -> str:
    side = {Side.NODE: "the node", Side.INSIDE: "inside", Side.CONTROL: "control"}[seen.side]
    value = seen.value if len(seen.value) <= _MOST_WORDS * 3 else f"{seen.value[: _MOST_WORDS * 3]}…"
    return f"{seen.id} ({side}): {value} → {_meaning(seen.supports)}"


def _meaning(supports: Boundary | None) -> str:
    if supports is None:
        return "shows nothing"
    return "no boundary" if supports is Boundary.UNKNOWN else f"up to {supports}"
