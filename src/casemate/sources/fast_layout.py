"""How plain lines (`casemate.sources.fast_lines`) make up a document: its value, and where each part of it stands.

1. A line belongs to the innermost collection of its level. A deeper one opens a collection, which is the value of the
   line above when that has none of its own.
2. What would make a parser stumble, or read several lines as one scalar, is not plain: a deeper line below a value, a
   level that no open collection has, the same key or anchor twice, an alias of what is not finished.
3. Aliases share what they stand for. They may be few, so that nobody pays for their expansion ("billion laughs").
4. All of this depends on the lines' heads alone. Documents that differ in values only, as releases of one chart do,
   have one layout: it is made when the second of them comes.
5. Where a part stands is read off the heads when somebody asks. A key has its own position, an item that of its value.
6. What only the exact parser can tell is refused: what a list in one line holds, where lists in lists and items with
   an anchor begin, and all places of a document with aliases or with a dash that stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

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
    """The structure of documents whose lines have the same heads. What has none raises `NotPlainError`."""

    def __init__(self, heads: tuple[Head, ...]) -> None:
        self.heads = heads
        self._places: dict[Path, _Place] = {}

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

        numbered = _Fold().value(self.heads, range(len(self.heads)))
        if numbered is not None:
            number(numbered)
        return made

    def value(self, values: list[LineValue]) -> object:
        """What lines with these values make up; None where they say nothing."""
        made: list[Any] = values
        numbered = made.__getitem__
        for keys, members in self._collections:
            inner = map(numbered, members)
            made.append(list(inner) if keys is None else dict(zip(keys, inner)))  # noqa: B905 - `strict` costs a quarter
        return made[-1] if self._collections else None

    @cached_property
    def objects(self) -> dict[int, Path]:
        """The paths of the objects by the lines that they begin in (from 1): items of a list, and the document."""
        found: dict[int, Path] = {self.at(())[0]: ()}
        items = self._place(("items",)).inside
        for index in range(items.count() if items and items.level & 1 else 0):
            found[self.at(("items", index))[0]] = ("items", index)
        return found

    def at(self, path: Path) -> Position:
        """Where the value at a path stands, or the nearest one around it that is there (rules 5 and 6)."""
        place = self._place(path)
        return place.line + 1, place.level // 2 + 1

    def _place(self, path: Path) -> _Place:
        found = self._places.get(path)
        if found is None:
            found = self._places[path] = self._within(self._place(path[:-1]), str(path[-1])) if path else self._root()
        return found

    def _root(self) -> _Place:
        first = next((line for line, head in enumerate(self.heads) if head.level >= 0), None)
        if first is None or any(head.hides for head in self.heads):
            raise NotPlainError
        return _Place(first, 0, _Members(self.heads, first, 0))

    def _within(self, place: _Place, name: str) -> _Place:
        """A member of what stands at a place; the place itself when there is none."""
        inside = place.inside
        if place.flow:
            raise NotPlainError
        line = inside.line(name) if inside else None
        if inside is None or line is None:
            return _Place(place.line, place.level)
        head, levels, behind = self.heads[line], _levels(self.heads[line]), inside.depth + 1
        if not inside.level & 1:
            below = self._below(line, levels[-1]) if head.kind.below else None
            return _Place(line, levels[-1], below, head.kind.flow)
        if behind == len(levels) and not head.kind.anchor:
            return _Place(line, head.value_level, None, head.kind.flow)
        if behind == len(levels) or levels[behind] & 1:
            raise NotPlainError
        return _Place(line, levels[-1], _Members(self.heads, line, behind))

    def _below(self, line: int, level: int) -> _Members | None:
        """The collection that begins below a key, if any does."""
        for below in range(line + 1, len(self.heads)):
            if self.heads[below].level >= 0:
                return _Members(self.heads, below, 0) if self.heads[below].level > level else None
        return None


class _Place(NamedTuple):
    """The line and level of a value; what is `inside` of a collection, or whether it is a list in one line (`flow`)."""

    line: int
    level: int
    inside: _Members | None = None
    flow: bool = False


def _levels(head: Head) -> tuple[int, ...]:
    """The levels of everything that a line begins, outermost first."""
    return head.level, *head.inner


class _Members:
    """The keys of a mapping, or the numbers of a list's items, with their lines: read only as far as somebody asks.

    The collection begins in a line, behind `depth` others that begin there too.
    """

    def __init__(self, heads: tuple[Head, ...], line: int, depth: int) -> None:
        self.depth = depth
        self.level = _levels(heads[line])[depth]
        self._found: dict[str, int] = {}
        self._rest = _members(heads, line, self.level)

    def line(self, name: str) -> int | None:
        """The line of a member."""
        if name not in self._found:
            for each, line in self._rest:
                self._found[each] = line
                if each == name:
                    break
        return self._found.get(name)

    def count(self) -> int:
        """How many there are."""
        self._found.update(self._rest)
        return len(self._found)


def _members(heads: tuple[Head, ...], first: int, level: int) -> Iterator[tuple[str, int]]:
    """The members of a collection of that level, and their lines. Outside of the class, or a cycle would hold both."""
    number = 0
    for line in range(first, len(heads)):
        head = heads[line]
        if line == first or head.level == level:
            yield str(number) if head.key is None or level & 1 else head.key, line
            number += 1
        elif 0 <= head.level < level:
            return


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
