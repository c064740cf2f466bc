"""Where values stand in a document that was folded (`casemate.sources.fast_fold`), without parsing it again.

1. The keys of a mapping stand in one column, as do the dashes of a list, until a line begins further left. So a key is
   the first of its name in that column, unless such a line is in between.
2. A key has its own position. An item has that of its value: the text behind the dash, or where the next line begins.
3. What is in one line with its key or dash holds nothing with a place of its own. What only the exact parser can tell
   is refused: what a list in one line or an alias holds, and where an empty value or one with an anchor begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import msgspec

from casemate.sources.fast_lines import NotPlainError
from casemate.sources.marks import Path

_NEXT: Final = re.compile(r" *(?:#[^\n]*)?(?:\n *(?:#[^\n]*)?(?=\n|\Z))*\n( *)(?=([^ \n]))")
_ANCHOR: Final = re.compile(r" *&[\w-]+")
_KEY: Final = re.compile(r"(\"?)[a-zA-Z_./][\w./-]*\1:(?![^ \n])", re.ASCII)
_DASH: Final = re.compile(r"-(?: +(?=[^ \n#])|(?=[ \n]|\Z))")
_UNTOLD: Final = re.compile(r" *(?:&[\w-]+ +)?(?:\*|\[ *[^\] ])")


class _Node(msgspec.Struct):
    """A value: its position, and where its entries begin (0: there are none), in which column (from 0)."""

    start: int
    first: int = 0
    column: int = 0
    known: dict[str, _Node | None] = {}
    items: list[int] | None = None


class Places:
    """The places of one document. Raises `NotPlainError` where it takes the exact parser to tell."""

    def __init__(self, text: str) -> None:
        self._text = f"\n{text}"
        self._keys = ("%s:", '"%s":') if '":' in text else ("%s:",)
        self._root = self._below(0, 0, -1)
        self._root.start = self._root.first or 1

    def object(self, line: int) -> Path | None:
        """The path of the object that begins in a line (from 1): an item of a list, or the document."""
        items = self._child(self._root, "items")
        for index in range(len(self._items(items)) if items and self._is_list(items) else 0):
            item = self._child(items, str(index)) if items else None
            if item and self._place(item)[0] == line:
                return ("items", index)
        return () if self._place(self._root)[0] == line else None

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of the value at a path, or of the nearest one around it that is there."""
        here = self._root
        for step in map(str, path):
            found = here.known[step] if step in here.known else self._child(here, step)
            if found is None:
                break
            here = found
        return self._place(here)

    def _place(self, node: _Node) -> tuple[int, int]:
        start = node.start
        return self._text.count("\n", 0, start), start - self._text.rfind("\n", 0, start)

    def _child(self, node: _Node, step: str) -> _Node | None:
        found: _Node | None = None
        if not node.first:
            if _UNTOLD.match(self._text, self._value(node)):
                raise NotPlainError
        elif not self._is_list(node):
            found = self._key(node, step)
        elif step.isdecimal() and int(step) < len(items := self._items(node)):
            found = self._item(items[int(step)])
        node.known[step] = found
        return found

    def _is_list(self, node: _Node) -> bool:
        return _DASH.match(self._text, node.first) is not None

    def _value(self, node: _Node) -> int:
        """Where the text of a value begins: behind its key, if it has one."""
        key = _KEY.match(self._text, node.start)
        return key.end() if key else node.start

    def _key(self, node: _Node, name: str) -> _Node | None:
        for wanted in (each % name for each in self._keys):
            if (at := self._entry(node, wanted)) is not None:
                return self._below(at, at + len(wanted), node.column)
        return None

    def _entry(self, node: _Node, wanted: str) -> int | None:
        """Where the entry that begins with this text stands (rule 1)."""
        text, first = self._text, node.first
        if text.startswith(wanted, first):
            return first
        found = text.find(f"\n{' ' * node.column}{wanted}", first)
        if found < 0 or _left_of(node.column).search(text, first, found):
            return None
        return found + 1 + node.column

    def _items(self, node: _Node) -> list[int]:
        """Where the dashes of a list stand."""
        if node.items is None:
            node.items = list(self._dashes(node))
        return node.items

    def _dashes(self, node: _Node) -> Iterator[int]:
        text, here, lead = self._text, node.first, f"\n{' ' * node.column}-"
        ends = _ends_list(node.column)
        while True:
            yield here
            found = text.find(lead, here)
            if found < 0 or ends.search(text, here, found):
                return
            here = found + 1 + node.column

    def _item(self, dash: int) -> _Node:
        """The value behind a dash (rule 2)."""
        text = self._text
        column = dash - text.rfind("\n", 0, dash) - 1
        behind = _DASH.match(text, dash)
        assert behind
        start = behind.end()
        if start == dash + 1:
            node = self._below(dash, start, column)
            node.start = node.first
        else:
            inner = _KEY.match(text, start) or _DASH.match(text, start)
            node = _Node(start, start if inner else 0, column + start - dash)
        if not node.start or text.startswith("&", start):
            raise NotPlainError
        return node

    def _below(self, start: int, value: int, column: int) -> _Node:
        """The node of a key or dash in that column, whose value begins behind it or below."""
        anchor = _ANCHOR.match(self._text, value)
        beyond = _NEXT.match(self._text, anchor.end() if anchor else value)
        if beyond:
            inner, item = len(beyond[1]), beyond[2] == "-" and self._text[start] != "-"
            if inner > column or (inner == column and item):
                return _Node(start, beyond.end(), inner)
        return _Node(start)


@cache
def _left_of(column: int) -> re.Pattern[str]:
    """A line that begins left of a column: there its mapping ends."""
    return re.compile(rf"\n {{0,{column - 1}}}(?=[^ \n#])" if column else r"(?!)")


@cache
def _ends_list(column: int) -> re.Pattern[str]:
    """A line that ends the list whose dashes stand in a column: begins left of it, or there with a key."""
    left = rf" {{0,{column - 1}}}(?=[^ \n#])|" if column else ""
    return re.compile(rf"\n(?:{left} {{{column}}}(?=[^ \n#-]))")
