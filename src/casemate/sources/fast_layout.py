"""How plain lines (`casemate.sources.fast_lines`) make up a document: its value, and where each part of it stands.

1. A line belongs to the innermost collection of its level. A deeper one opens a collection, which is the value of the
   line above when that has none of its own.
2. What would make a parser stumble, or read several lines as one scalar, is not plain: a deeper line below a value, a
   level that no open collection has, the same key or anchor twice, an alias of what is not finished.
3. Aliases share what they stand for. They may be few, so that nobody pays for their expansion ("billion laughs").
4. All of this depends on the lines' heads alone. Documents that differ in values only, as releases of one chart do,
   have one layout: it is made when the second of them comes.
5. A layout is a document with the numbers of lines for values. A key has its own position, an item that of its value.
6. What only the exact parser can tell is refused: what a list in one line holds, where lists in lists and items with
   an anchor begin, and all places of a document with aliases or with a dash that stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias

from casemate.sources.fast_lines import BELOW, LINES, VALUE, Head, Kind, Line, LineValue, NotPlainError
from casemate.sources.marks import Path

_DEEPEST: Final = 60
_ALIASES: Final = 12
_KEPT: Final = 4_000
_LONGEST: Final = 1_000

Position: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

_heads = itemgetter(Line._fields.index("head"))
_values = itemgetter(Line._fields.index("value"))


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The heads of one document's lines: all that its layout is made of."""

    heads: tuple[Head, ...]


def lay_out(text: str) -> tuple[Outline, object]:
    """The outline of a document, and its value. Raises `NotPlainError` when it takes a whole parser to tell."""
    lines = [*map(LINES.__getitem__, text.split("\n"))]
    heads, values = tuple(map(_heads, lines)), [*map(_values, lines)]
    layout = _known(heads)
    if layout:
        return Outline(layout.heads), layout.value(values)
    return Outline(heads), _Fold().value(heads, values)


@lru_cache(maxsize=16)
def layout_of(outline: Outline) -> Layout:
    """The layout of a document; one with many objects is made once for all of them."""
    return _LAYOUTS.get(outline.heads) or Layout(outline.heads)


def _known(heads: tuple[Head, ...]) -> Layout | None:
    """The layout of these heads, from the second document on that has them."""
    layout = _LAYOUTS.get(heads)
    if layout is None and heads in _LAYOUTS:
        layout = _LAYOUTS[heads] = Layout(heads)
    elif layout is None and len(heads) <= _LONGEST:
        if len(_LAYOUTS) >= _KEPT:
            _LAYOUTS.clear()
        _LAYOUTS[heads] = None
    return layout


_LAYOUTS: Final[dict[tuple[Head, ...], Layout | None]] = {}


class Layout:
    """The structure of documents whose lines have the same heads. Raises `NotPlainError` for heads that have none."""

    def __init__(self, heads: tuple[Head, ...]) -> None:
        self.heads = heads
        self._numbered: Any = _Fold().value(heads, range(len(heads)))
        self._tells = self._numbered is not None and not any(head.hides for head in heads)
        self._places: dict[Path, Position] = {}
        self._objects: dict[int, Path] | None = None

    @cached_property
    def _collections(self) -> list[tuple[tuple[str, ...] | None, list[int]]]:
        """Keys and members of every collection, behind those that it holds: numbers of lines, then of collections."""
        made: list[tuple[tuple[str, ...] | None, list[int]]] = []
        known: dict[int, int] = {}

        def number(value: Any) -> int:
            if isinstance(value, int):
                return value
            if id(value) not in known:
                inner = value.values() if isinstance(value, dict) else value
                members = [number(each) for each in inner]
                known[id(value)] = len(self.heads) + len(made)
                made.append((tuple(value) if isinstance(value, dict) else None, members))
            return known[id(value)]

        if self._numbered is not None:
            number(self._numbered)
        return made

    def value(self, values: list[LineValue]) -> object:
        """What lines with these values make up; None where they say nothing."""
        made: list[Any] = values
        numbered = made.__getitem__
        for keys, members in self._collections:
            inner = map(numbered, members)
            made.append(list(inner) if keys is None else dict(zip(keys, inner)))  # noqa: B905 - `strict` costs a quarter
        return made[-1] if self._collections else None

    def object(self, line: int) -> Path | None:
        """The path of the object that begins in a line (from 1): an item of a list, or the document."""
        if self._objects is None:
            items = self._numbered.get("items") if isinstance(self._numbered, dict) else None
            count = len(items) if isinstance(items, list) else 0
            paths: list[Path] = [(), *(("items", index) for index in range(count))]
            self._objects = {self.at(path)[0]: path for path in paths}
        return self._objects.get(line)

    def at(self, path: Path) -> Position:
        """Where the value at a path stands, or the nearest one around it that is there (rules 5 and 6)."""
        found = self._places.get(path)
        if found is None:
            line, level = self._at(path)
            found = self._places[path] = line + 1, level // 2 + 1
        return found

    def _at(self, path: Path) -> tuple[int, int]:
        here = self._numbered
        if not self._tells:
            raise NotPlainError
        found = self._first(here), 0
        for step in map(str, path):
            if isinstance(here, int) and self.heads[here].kind.flow:
                raise NotPlainError
            if isinstance(here, dict) and step in here:
                here = here[step]
                found = self._key(here)
            elif isinstance(here, list) and step.isdecimal() and int(step) < len(here):
                here = here[int(step)]
                found = self._item(here)
            else:
                break
        return found

    def _first(self, collection: Any) -> int:
        """The line of a collection's first key or dash."""
        if isinstance(collection, dict):
            return self._key(next(iter(collection.values())))[0]
        first = collection[0]
        return first if isinstance(first, int) else self._first(first)

    def _key(self, value: Any) -> tuple[int, int]:
        """The line and level of the key that has this value: the last line above that says something."""
        line = value
        if not isinstance(line, int):
            line = self._first(value) - 1
            while self.heads[line].level < 0:
                line -= 1
        head = self.heads[line]
        return line, head.inner[-1] if head.inner else head.level

    def _item(self, value: Any) -> tuple[int, int]:
        """The line and level of an item."""
        if isinstance(value, dict):
            return self._key(next(iter(value.values())))
        if isinstance(value, list) or self.heads[value].kind.anchor:
            raise NotPlainError
        return value, self.heads[value].value_level


class _Fold:
    """One document: the collections that lines may still belong to, each with its level."""

    def __init__(self) -> None:
        self._root: list[Any] = [None]
        self._open: list[Any] = [self._root]
        self._levels = [-1]
        self._anchors: dict[str, tuple[Any, str | int]] = {}
        self._aliases = 0

    def value(self, heads: Sequence[Head], values: Sequence[object]) -> object:
        """What the lines make up. This loop runs a million times for ten thousand workloads that are all different."""
        levels, opened = self._levels, self._open
        slot: str | int | None = 0  # Where in the innermost collection a deeper one would go.
        for head, value in zip(heads, values, strict=True):
            level, key, kind = head.level, head.key, head.kind
            if level < 0:
                continue
            while level < levels[-1]:
                del levels[-1], opened[-1]
                slot = None
            if level > levels[-1]:
                self._begin(level, slot)
            if level & 1:
                self._item(head.inner)
            holder = opened[-1]
            if key is None:
                slot = len(holder) - 1
            elif key in holder:
                raise NotPlainError
            else:
                slot = key
            holder[slot] = value
            if kind is not BELOW:
                slot = None if kind is VALUE else self._special(holder, slot, kind)
        return self._root[0]

    def _begin(self, level: int, slot: str | int | None) -> None:
        """Open a collection in a slot of the innermost one."""
        if slot is None or len(self._levels) > _DEEPEST or (len(self._levels) == 1 and level > 1):
            raise NotPlainError
        made: list[Any] | dict[str, Any] = [] if level & 1 else {}
        self._open[-1][slot] = made
        self._open.append(made)
        self._levels.append(level)

    def _item(self, inner: tuple[int, ...]) -> None:
        """Begin an item of the innermost list, and the collections that open behind its dash."""
        self._open[-1].append(None)
        for level in inner:
            self._begin(level, len(self._open[-1]) - 1)
            if level & 1:
                self._open[-1].append(None)

    def _special(self, holder: Any, slot: str | int, kind: Kind) -> str | int | None:
        """Note an anchor, or put in what an alias stands for. Returns the slot when the value may stand below."""
        if kind.anchor:
            if kind.anchor in self._anchors:
                raise NotPlainError
            self._anchors[kind.anchor] = (holder, slot)
        elif kind.alias:
            self._aliases += 1
            if kind.alias not in self._anchors or self._aliases > _ALIASES:
                raise NotPlainError
            there, at = self._anchors[kind.alias]
            if any(each is there[at] for each in self._open):
                raise NotPlainError
            holder[slot] = there[at]
        return slot if kind.below else None
