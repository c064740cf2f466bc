"""How much CEL costs at most, in the API server's units, for a workload as large as the bounds below.

1. Counted as cel-go counts while it runs (interpreter/runtimecost.go): names, fields, indexes and calls cost 1, a new
   list 10, a new map 30, `in` the length of its list, a text a tenth of its length, a match that times a quarter of the
   expression's length; a loop its body for each element. A question to the authorizer costs 350,000 (apiserver,
   pkg/cel/library/cost.go).
2. Sizes of variables follow from what they are made of. Sizes of what a request brings are bounds: what is larger still
   may pass the limit, and is refused then (`failurePolicy: Fail`).
3. Every part counts, though `||`, `&&` and `? :` skip some: the sum is too high, never too low.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BOUNDS: Final[Mapping[str, int]] = {
    "containers": 32,
    "initContainers": 16,
    "ephemeralContainers": 16,
    "volumes": 32,
    "labels": 64,
    "annotations": 64,
    "nodeSelector": 32,
    "groups": 64,
    "ownerReferences": 8,
    "add": 41,
    "drop": 41,
}
"""The most of each that a request is expected to bring."""

_TEXT: Final = 26
"""What a text of 255 characters costs."""

_WORD: Final = re.compile(r"'(?:[^'\\]|\\.)*'|[A-Za-z_][A-Za-z0-9_]*|\d+|==|!=|<=|>=|&&|\|\||\.\?|[^\s]")
_LOOPS: Final = frozenset({"filter", "map", "exists", "all"})
_STEP: Final = 4
_LIST, _MAP = 10, 30
_CHECK: Final = 350_000


@dataclass(frozen=True, slots=True)
class Size:
    """The number of elements of a value, and of each of these."""

    elements: int = 1
    inner: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of an expression, and the size of its value."""

    cost: int
    size: Size


def estimate(expression: str, sizes: Mapping[str, Size]) -> Estimate:
    """The estimate of an expression; `sizes` are of variables by name."""
    reader = _Reader(_WORD.findall(expression), sizes)
    return reader.part(())


class _Reader:
    """Reads words from left to right."""

    def __init__(self, words: Sequence[str], sizes: Mapping[str, Size]) -> None:
        self._words = words
        self._sizes = sizes
        self._at = 0

    def part(self, ends: tuple[str, ...]) -> Estimate:
        """Everything up to one of `ends`; what `+` joins adds up in size."""
        cost, total, last = 0, Size(0, 1), Size()
        inside = operand = added = False
        while self._at < len(self._words) and self._words[self._at] not in ends:
            word = self._words[self._at]
            if operand and word not in (".", ".?", "[", "("):
                cost += last.elements if inside else 0
                total = _sum(total, last) if added else _larger(total, last)
                inside = operand = added = False
                continue
            if word == "in" or not (operand or word in "([{" or _is_operand(word)):
                cost += 1 + (_TEXT if word in ("+", "==", "!=") else 0)
                inside, added = word == "in", word == "+"
                self._at += 1
                continue
            more, last = self._operand(last) if operand else self._first()
            cost, operand = cost + more, True
        cost += last.elements if inside and operand else 0
        if operand:
            total = _sum(total, last) if added else _larger(total, last)
        return Estimate(cost, total)

    def _first(self) -> tuple[int, Size]:
        """The beginning of an operand: a literal, a name, or something in brackets."""
        word = self._take()
        if word == "[":
            items = self._items("]")
            inner = max((each.size.elements for each in items), default=1)
            return _LIST + sum(each.cost for each in items), Size(len(items), inner)
        if word == "{":
            items = self._items("}")
            inner = max((each.size.elements for each in items), default=1)
            return _MAP + sum(each.cost for each in items), Size(len(items), inner)
        if word == "(":
            found = self.part((")",))
            self._take()
            return found.cost, found.size
        return (0 if word[0] in "'0123456789" else 1), Size(BOUNDS.get(word, 1))

    def _operand(self, last: Size) -> tuple[int, Size]:
        """What follows an operand: a field, an index, a call."""
        word = self._take()
        if word == "[":
            found = self.part(("]",))
            self._take()
            return found.cost + 1, Size(last.inner, 1)
        if word == "(":
            items = self._items(")")
            return 1 + sum(each.cost for each in items), items[0].size if items else Size()
        name = self._take()
        if name == "[":
            found = self.part(("]",))
            self._take()
            return found.cost + 1, last
        if self._at < len(self._words) and self._words[self._at] == "(":
            self._at += 1
            return self._call(name, last)
        return 1, self._sizes.get(name, Size(BOUNDS.get(name, 1)))

    def _call(self, name: str, of: Size) -> tuple[int, Size]:
        start = self._at
        items = self._items(")")
        cost = sum(each.cost for each in items)
        if name in _LOOPS:
            made = items[-1].size if name == "map" else Size(of.inner, 1)
            kept = of.elements if name in ("map", "filter") else 1
            return (cost + _STEP + _LIST) * of.elements, Size(kept, made.elements)
        if name == "check":
            return _CHECK + cost, Size()
        if name == "matches":
            return _TEXT * math.ceil(len(self._words[start]) / 4), Size()
        if name == "join":
            return _TEXT * of.elements, Size()
        kept_size = of if name in ("orValue", "or") else Size()
        return 1 + _TEXT + cost, kept_size

    def _items(self, end: str) -> list[Estimate]:
        """The parts between commas (or a map's colons) up to the bracket that ends them."""
        found: list[Estimate] = []
        while self._at < len(self._words) and self._words[self._at] != end:
            if self._words[self._at] == ",":
                self._at += 1
                continue
            found.append(self.part((",", end)))
        self._take()
        return found

    def _take(self) -> str:
        word = self._words[self._at]
        self._at += 1
        return word


def _is_operand(word: str) -> bool:
    return word[0] == "'" or word[0].isalnum() or word[0] == "_"


def _sum(one: Size, other: Size) -> Size:
    return Size(one.elements + other.elements, max(one.inner, other.inner))


def _larger(one: Size, other: Size) -> Size:
    return Size(max(one.elements, other.elements), max(one.inner, other.inner))
