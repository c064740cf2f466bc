"""Wrap sentences to the width of a terminal, and break paths where a reader would.

1. Lines break between words, never at hyphens.
2. A word that is longer than a line, such as a path, breaks after the last `/`, `.`, `]`, `=`, `:` or `,` that fits.
3. Only what has none of these breaks anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

_PART = re.compile(r"[^/.\]=:,]*[/.\]=:,]+|[^/.\]=:,]+")


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, none wider than `width` cells."""
    lines, line = list[str](), ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _broken(word, width)
        lines += full
    return [*lines, line] if line else lines


def _broken(word: str, width: int) -> list[str]:
    """A word in pieces of at most `width`."""
    pieces = [""]
    for part in _parts(word, width):
        if cell_len(pieces[-1] + part) <= width:
            pieces[-1] += part
        else:
            pieces.append(part)
    return pieces if pieces[0] else pieces[1:]


def _parts(word: str, width: int) -> Iterator[str]:
    for part in _PART.findall(word):
        yield from chop_cells(part, width) if cell_len(part) > width else (part,)
