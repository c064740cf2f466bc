"""What becomes of the fields of Pods, as a table and as JSON (`casemate run --explain`)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table

from casemate.model.support import FieldNote, PodNotes, Verdict
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns

_ORDER = (Verdict.REFUSED, Verdict.APPROXIMATED, Verdict.IGNORED, Verdict.HONOURED)
_SHAPES = {Verdict.REFUSED: "✗", Verdict.APPROXIMATED: "≈", Verdict.IGNORED: "·", Verdict.HONOURED: "✓"}
_STYLES = {Verdict.REFUSED: "red", Verdict.APPROXIMATED: "yellow", Verdict.IGNORED: "dim", Verdict.HONOURED: ""}


def notes_json(pods: Sequence[PodNotes]) -> str:
    """`kind: Explanation`, one item for each Pod or Pod template."""
    items = [
        {
            "pod": each.pod,
            "where": each.where,
            "handler": each.handler,
            "fields": [msgspec.structs.asdict(note) for note in each.notes],
        }
        for each in pods
    ]
    return encoded(answer("Explanation", items=items))


def print_notes(pods: Sequence[PodNotes], screen: Screen | None = None) -> None:
    """Print a table for each Pod to standard output: what is refused first, what is honoured last."""
    screen = screen or Screen()
    for each in pods:
        place = f"  {each.where}" if each.where else ""
        screen.print(f"{each.pod} under {each.handler}{place}", style="bold")
        screen.print(_table(each.notes))
        screen.print(_summary(each.notes))
        screen.print()


def _table(notes: Sequence[FieldNote]) -> Table:
    names = ("VERDICT", "FIELD", "VALUE", "NOTE")
    table = columns(*names, folded=names)
    for note in sorted(notes, key=lambda each: _ORDER.index(each.verdict)):
        verdict = f"{_SHAPES[note.verdict]} {note.verdict}{' (security)' if _stands_out(note) else ''}"
        table.add_row(verdict, note.path, note.value, note.note, style=_STYLES[note.verdict])
    return table


def _stands_out(note: FieldNote) -> bool:
    return note.security and note.verdict in (Verdict.REFUSED, Verdict.APPROXIMATED)


def _summary(notes: Sequence[FieldNote]) -> str:
    counts = ((verdict, sum(note.verdict is verdict for note in notes)) for verdict in _ORDER)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
