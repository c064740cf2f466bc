"""Where values stand in a document of plain lines (`casemate.sources.fast_lines`), without parsing it again.

1. An entry is a key or a dash. The deeper entries after it are its own; the first of them says at which level.
2. A key has its own position. An item has that of its value, which is its first entry or the text behind the dash.
3. What is in one line with its key or dash has no entries. What only the exact parser can tell is refused: what a list
   in one line or an alias holds, and where the value of an empty item or of one with an anchor begins.

The document is taken to be right: somebody read it already.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from casemate.sources.fast_lines import BELOW, LINES, Alias, Anchored, LineValue, NotPlainError
from casemate.sources.marks import Path, Step

_ROOT: Final = -1

_Below: TypeAlias = "dict[str, int] | list[int]"


class _Entry(NamedTuple):
    line: int
    key: str | None
    value: LineValue


class Places:
    """The places of one document. Raises `NotPlainError` where it takes the exact parser to tell."""

    def __init__(self, text: str) -> None:
        self._texts = text.split("\n")
        self._levels: list[int] = []
        self._entries: list[_Entry] = []
        self._below: dict[int, _Below] = {}
        for number, (level, inner, key, value) in enumerate(map(LINES.__getitem__, self._texts)):
            if level < 0:
                continue
            self._levels.append(level)
            if inner:
                self._levels += inner
                self._entries += [_Entry(number, None, BELOW)] * len(inner)
            self._entries.append(_Entry(number, key, value))

    def object(self, line: int) -> Path | None:
        """The path of the object that begins in a line (from 1): an item of a list, or the document."""
        if not self._entries:
            return None
        items = self._find(_ROOT, "items")
        for index, item in enumerate(self._under(items)) if items is not None else ():
            if isinstance(item, int) and self._position(item)[0] == line:
                return ("items", index)
        return () if self._entries[0].line + 1 == line else None

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of the value at a path, or of the nearest one around it that is there."""
        here = _ROOT
        for step in path:
            below = self._find(here, step)
            if below is None:
                break
            here = below
        return self._start(0) if here == _ROOT else self._position(here)

    def _find(self, entry: int, step: Step) -> int | None:
        below = self._under(entry)
        if isinstance(below, dict):
            return below.get(str(step))
        return below[int(step)] if str(step).isdecimal() and int(step) < len(below) else None

    def _under(self, entry: int) -> _Below:
        """The entries of an entry: by key, or in order."""
        if entry not in self._below:
            self._below[entry] = self._own(entry)
        return self._below[entry]

    def _own(self, entry: int) -> _Below:
        if not self._may_have_entries(entry):
            return []
        levels, start = self._levels, entry + 1
        least = _ROOT if entry == _ROOT else levels[entry]
        if start == len(levels) or levels[start] <= least:
            return []
        wanted, found = levels[start], []
        for index in range(start, len(levels)):
            if levels[index] == wanted:
                found.append(index)
            elif levels[index] <= least:
                break
        return found if wanted & 1 else {self._entries[index].key or "": index for index in found}

    def _may_have_entries(self, entry: int) -> bool:
        if entry == _ROOT:
            return True
        value: object = self._entries[entry].value
        if isinstance(value, Anchored):
            value = value.value
        if isinstance(value, Alias) or (isinstance(value, list) and value):
            raise NotPlainError
        return value is BELOW

    def _position(self, entry: int) -> tuple[int, int]:
        level = self._levels[entry]
        if not level & 1:
            return self._start(entry)
        line, _, value = self._entries[entry]
        if isinstance(self._under(entry), list) and not self._under(entry):
            return line + 1, self._column_of_value(entry)
        if value is not BELOW:
            raise NotPlainError
        return self._start(entry + 1)

    def _start(self, entry: int) -> tuple[int, int]:
        return self._entries[entry].line + 1, (self._levels[entry] >> 1) + 1

    def _column_of_value(self, entry: int) -> int:
        """The column of what stands behind a dash."""
        if self._entries[entry].value is BELOW or isinstance(self._entries[entry].value, Anchored):
            raise NotPlainError
        dash = (self._levels[entry] >> 1) + 1
        text = self._texts[self._entries[entry].line]
        return len(text) - len(text[dash:].lstrip(" ")) + 1
