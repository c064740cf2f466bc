"""Fold plain lines (`casemate.sources.fast_lines`) into the value that they make up: exact, or not at all.

1. A line belongs to the innermost collection of its level. A deeper one opens a collection, which is the value of the
   line above when that has none of its own.
2. What would make a parser stumble, or read several lines as one scalar, is not plain: a deeper line below a value, a
   level that no open collection has, the same key or anchor twice, an alias of what is not finished.
3. Aliases share what they stand for. They may be few, so that nobody pays for their expansion ("billion laughs").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from casemate.sources.fast_lines import BELOW, LINES, Alias, Anchored, Line, NotPlainError

_DEEPEST: Final = 60
_ALIASES: Final = 12


def folded(text: str) -> object:
    """The value of a document. Raises `NotPlainError` when it takes a whole parser to tell."""
    return _Fold().value(map(LINES.__getitem__, text.split("\n")))


class _Fold:
    """One document: the collections that lines may still belong to, each with its level."""

    def __init__(self) -> None:
        self._root: list[Any] = [None]
        self._open: list[Any] = [self._root]
        self._levels = [-1]
        self._anchors: dict[str, tuple[Any, str | int]] = {}
        self._aliases = 0

    def value(self, lines: Iterable[Line]) -> object:
        """What the lines make up. This loop runs a million times for ten thousand workloads."""
        levels, opened = self._levels, self._open
        slot: str | int | None = 0  # Where in the innermost collection a deeper one would go.
        for level, inner, key, value in lines:
            if level < 0:
                continue
            while level < levels[-1]:
                del levels[-1], opened[-1]
                slot = None
            if level > levels[-1]:
                self._begin(level, slot)
            if level & 1:
                self._item(inner)
            holder = opened[-1]
            if key is None:
                slot = len(holder) - 1
            elif key in holder:
                raise NotPlainError
            else:
                slot = key
            if value is BELOW:
                holder[slot] = None
            elif value.__class__ is Alias or value.__class__ is Anchored:
                slot = self._named(holder, slot, value)
            else:
                holder[slot] = value
                slot = None
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

    def _named(self, holder: Any, slot: str | int, value: Alias | Anchored) -> str | int | None:
        """Put in the value of an alias, or one with an anchor. Returns the slot when the value may stand below."""
        if isinstance(value, Anchored):
            if value.name in self._anchors:
                raise NotPlainError
            self._anchors[value.name] = (holder, slot)
            if value.value is BELOW:
                holder[slot] = None
                return slot
            if isinstance(value.value, Alias):
                raise NotPlainError
            holder[slot] = value.value
            return None
        self._aliases += 1
        if value.name not in self._anchors or self._aliases > _ALIASES:
            raise NotPlainError
        there, at = self._anchors[value.name]
        if any(each is there[at] for each in self._open):
            raise NotPlainError
        holder[slot] = there[at]
        return None
