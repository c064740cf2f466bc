"""Where tables and sentences are printed, and how a table looks.

1. No text is markup, and none commands a terminal: what strangers named, a process, a file or a Pod, is shown and not
   obeyed.
2. Elsewhere than on a terminal lines are long: whoever reads them there cuts them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from casemate.report.assess_text import visible

_ELSEWHERE = 240


class Screen(Console):
    """Standard output, standard error, or a file."""

    def __init__(self, file: IO[str] | None = None, *, stderr: bool = False) -> None:
        super().__init__(file=file, stderr=stderr, highlight=False, markup=False, emoji=False)
        if not self.is_terminal:
            self.width = _ELSEWHERE

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as it is shown (rule 1): rich asks for each that it prints, also in a table."""
        return super().render_str("\n".join(map(visible, text.split("\n"))), **options)


def columns(*names: str, folded: Collection[str] = (), right: Collection[str] = ()) -> Table:
    """A table without lines. Where it has no room, what stands in the columns `folded` goes on below."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(
            name, no_wrap=name not in folded, overflow="fold", justify="right" if name in right else "left"
        )
    return table
