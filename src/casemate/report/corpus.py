"""How a run of the bypass corpus is shown: what went wrong, and how many were right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from casemate.model.corpus import Played
from casemate.report.answer import answer, encoded
from casemate.report.screen import columns


def table(wrong: Sequence[Played]) -> Table:
    """One row for each try that went otherwise than it should."""
    names = ("CASE", "TRIES", "WRONG", "SAID")
    shown = columns(*names, folded=names)
    for each in wrong:
        shown.add_row(each.attempt.id, each.attempt.tries, each.wrong, each.message)
    return shown


def summary(played: Sequence[Played], left_out: int) -> str:
    """One sentence: bypasses and wrong denials are counted apart."""
    bypasses = sum(each.bypassed for each in played)
    others = sum(bool(each.wrong) for each in played) - bypasses
    kinds = Counter(str(each.attempt.expect) for each in played)
    counted = ", ".join(f"{number} to {what}" for what, number in sorted(kinds.items()))
    rest = f"; {left_out} left out, which this engine cannot show" if left_out else ""
    server = sum(each.by_server for each in played)
    own = f"; {server} refused by the API server itself" if server else ""
    return f"{len(played)} tries ({counted}): {bypasses} bypasses, {others} other differences{own}{rest}"


def document(played: Sequence[Played], against: str) -> bytes:
    """The run as JSON, `kind: CorpusRun`."""
    items = [
        {
            "id": each.attempt.id,
            "tries": each.attempt.tries,
            "source": each.attempt.source,
            "expected": each.attempt.expect,
            "decision": each.decision,
            "rules": each.rules,
            "message": each.message,
            "wrong": each.wrong,
            "byServer": each.by_server,
        }
        for each in played
    ]
    return encoded(answer("CorpusRun", against=against, items=items)).encode()
