"""How plain lines (`casemate.sources.fast_lines`) make up a document: its value, and where each part of it stands.

1. A line belongs to the innermost collection of its level. A deeper one opens a collection, which is the value of the
   line above when that has none of its own.
2. What would make a parser stumble, or read several lines as one scalar, is not plain: a deeper line below a value, a
   level that no open collection has, the same key or anchor twice, an alias of what is not finished.
3. Aliases share what they stand for. They may be few, so that nobody pays for their expansion ("billion laughs").
4. All of this depends on the lines' heads alone. A layout is made once, however many documents differ in values only,
   as releases of one chart do.
5. A key has its own position. An item has that of its value: the text behind the dash, or where the next line begins.
   What only the exact parser can tell is refused: what a list in one line holds, where an empty item or one with an
   anchor begins, and all places of a document with aliases.
"""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from casemate.sources.fast_lines import LINES, VALUE, Head, Kind, Line, LineValue, NotPlainError
from casemate.sources.marks import Path

_DEEPEST: Final = 60
_ALIASES: Final = 12
_KEPT: Final = 4_000
_LONGEST: Final = 1_000

Position: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

_heads = itemgetter(Line._fields.index("head"))
_values = itemgetter(Line._fields.index("value"))


class _Collection(NamedTuple):
    """A mapping, or a list where there are no keys, whose first key or dash has that level.

    `begin` is the line of the key or dash whose value it is. Members are the numbers of lines that have the values;
    greater ones are collections, in the order in which they end.
    """

    level: int
    begin: int
    keys: tuple[str, ...] | None
    members: tuple[int, ...]

    def member(self, step: str) -> int | None:
        """The number of what stands under a key, or in a place of a list."""
        if self.keys is not None:
            return self.members[self.keys.index(step)] if step in self.keys else None
        return self.members[int(step)] if step.isdecimal() and int(step) < len(self.members) else None


class Layout:
    """The structure of documents whose lines have the same heads. Raises `NotPlainError` for heads that have none."""

    def __init__(self, heads: tuple[Head, ...]) -> None:
        self._heads = heads
        self._collections, self._aliases = _Fold(heads).collections()
        self._known: dict[Path, Position] = {}
        self._objects: dict[int, Path] | None = None

    def value(self, values: list[LineValue]) -> object:
        """What lines with these values make up; None where they say nothing."""
        made: list[Any] = values
        numbered = made.__getitem__
        for _, _, keys, members in self._collections:
            inner = map(numbered, members)
            made.append(list(inner) if keys is None else dict(zip(keys, inner, strict=True)))
        return made[-1] if self._collections else None

    def object(self, line: int) -> Path | None:
        """The path of the object that begins in a line (from 1): an item of a list, or the document."""
        if self._objects is None:
            number = self._root.member("items")
            items = None if number is None else self._collection(number)
            count = len(items.members) if items and items.keys is None else 0
            paths: list[Path] = [(), *(("items", index) for index in range(count))]
            self._objects = {self.at(path)[0]: path for path in paths}
        return self._objects.get(line)

    def at(self, path: Path) -> Position:
        """Where the value at a path stands, or the nearest one around it that is there (rule 5)."""
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._at(path)
        return found

    @property
    def _root(self) -> _Collection:
        if self._aliases or not self._collections:
            raise NotPlainError
        return self._collections[-1]

    def _at(self, path: Path) -> Position:
        here: _Collection | None = self._root
        number = len(self._heads) + len(self._collections) - 1
        line, level = self._first(number)
        for step in map(str, path):
            if here is None and self._heads[number].kind.flow:
                raise NotPlainError
            below = here.member(step) if here else None
            if here is None or below is None:
                break
            number = below
            line, level = self._item(number) if here.keys is None else (self._line(number), here.level)
            here = self._collection(number)
        return line + 1, level // 2 + 1

    def _collection(self, number: int) -> _Collection | None:
        own = number - len(self._heads)
        return None if own < 0 else self._collections[own]

    def _line(self, number: int) -> int:
        """The line of the key or dash whose value has that number."""
        collection = self._collection(number)
        return collection.begin if collection else number

    def _first(self, number: int) -> tuple[int, int]:
        """The line and level of a collection's first key or dash."""
        collection = self._collections[number - len(self._heads)]
        return self._line(collection.members[0]), collection.level

    def _item(self, number: int) -> tuple[int, int]:
        """The line and level of an item: of its value, not of its dash."""
        line = self._line(number)
        kind, within = self._heads[line].kind, number < len(self._heads)
        first, level = (line, self._heads[line].value_level) if within else self._first(number)
        if (kind.anchor and (within or first != line)) or (kind.below and within):
            raise NotPlainError
        return first, level


class Layouts(dict[tuple[Head, ...], Layout]):
    """Layouts by the heads of their lines."""

    def __missing__(self, heads: tuple[Head, ...]) -> Layout:
        layout = Layout(heads)
        if len(heads) <= _LONGEST:
            if len(self) >= _KEPT:
                self.clear()
            self[heads] = layout
        return layout


_LAYOUTS: Final = Layouts()


def lay_out(text: str) -> tuple[Layout, list[LineValue]]:
    """The layout of a document, and the values of its lines. Raises `NotPlainError` when it takes a whole parser."""
    lines = [*map(LINES.__getitem__, text.split("\n"))]
    return _LAYOUTS[tuple(map(_heads, lines))], [*map(_values, lines)]


class _Open(NamedTuple):
    """A collection that lines may still belong to."""

    level: int
    begin: int
    keys: dict[str, None]
    members: list[int]


_UNFINISHED: Final = -1


class _Fold:
    """One document: the collections that lines may still belong to, innermost last, and those that ended."""

    def __init__(self, heads: tuple[Head, ...]) -> None:
        self._heads = heads
        self._open = [_Open(-1, 0, {}, [0])]
        self._ended: list[_Collection] = []
        self._anchors: dict[str, tuple[_Open, int]] = {}
        self._aliases = 0

    def collections(self) -> tuple[tuple[_Collection, ...], int]:
        """The collections, the outermost last, and how many aliases there are."""
        opened = self._open
        below = True  # Whether a deeper line would be the value of the last one.
        for number, head in enumerate(self._heads):
            level = head.level
            if level < 0:
                continue
            while level < opened[-1].level:
                self._end()
                below = False
            if level > opened[-1].level:
                if not below:
                    raise NotPlainError
                self._begin(level)
            if level & 1:
                self._item(number, head.inner)
            if head.key is not None:
                self._key(number, head.key)
            below = head.kind is not VALUE and self._special(head.kind)
        while len(opened) > 1:
            self._end()
        return tuple(self._ended), self._aliases

    def _begin(self, level: int) -> None:
        """Open a collection as the last member of the innermost one."""
        if len(self._open) > _DEEPEST or (len(self._open) == 1 and level > 1):
            raise NotPlainError
        holder = self._open[-1].members
        self._open.append(_Open(level, holder[-1], {}, []))
        holder[-1] = _UNFINISHED

    def _end(self) -> None:
        level, begin, keys, members = self._open.pop()
        names = None if level & 1 else _shared(tuple(keys))
        self._open[-1].members[-1] = len(self._heads) + len(self._ended)
        self._ended.append(_Collection(level, begin, names, tuple(members)))

    def _item(self, number: int, inner: tuple[int, ...]) -> None:
        """Begin an item of the innermost list, and the collections that open behind its dash."""
        self._open[-1].members.append(number)
        for level in inner:
            self._begin(level)
            if level & 1:
                self._open[-1].members.append(number)

    def _key(self, number: int, key: str) -> None:
        _, _, keys, members = self._open[-1]
        if key in keys:
            raise NotPlainError
        keys[key] = None
        members.append(number)

    def _special(self, kind: Kind) -> bool:
        """Note an anchor, and put in what an alias stands for. Says whether the value may stand below."""
        members = self._open[-1].members
        if kind.anchor:
            if kind.anchor in self._anchors:
                raise NotPlainError
            self._anchors[kind.anchor] = self._open[-1], len(members) - 1
        elif kind.alias:
            self._aliases += 1
            if kind.alias not in self._anchors or self._aliases > _ALIASES:
                raise NotPlainError
            holder, place = self._anchors[kind.alias]
            if holder.members[place] == _UNFINISHED:
                raise NotPlainError
            members[-1] = holder.members[place]
        return kind.below


@lru_cache(maxsize=4096)
def _shared(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The same keys once for all layouts: they are much of their size."""
    return keys
