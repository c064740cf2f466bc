"""Turn text that says one value into text that says another, and touch nothing that both say alike.

1. What did not change is not written: comments, order, indentation, quotes and line ends stay as they are.
2. A new field of a mapping comes first in it, on a line below the mapping's key; where the mapping begins beside a dash
   or merges another (`<<`), it comes last. In brackets it comes first, one per line where the others stand so.
3. New text is indented as the document is, lists are written in brackets, and a document in brackets gets JSON.
4. An alias whose value has to differ from its anchor's becomes a mapping that merges the anchor: `{<<: *name, key: …}`.
   Where the anchor changes in the same way, the alias stays.
5. What cannot be said so is not said wrongly: the caller reads the result again and compares.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from casemate.model.edit import Json
from casemate.sources.edit_nodes import MERGE, Node
from casemate.sources.scalars import plain

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_STEP: Final = 2


class InexpressibleError(ValueError):
    """The text holds the value in a way that cannot be edited."""


@dataclass(frozen=True, slots=True)
class _Verbatim:
    """Text to be written as it is: an alias."""

    text: str


_Written: TypeAlias = "Json | _Verbatim | dict[str, Json | _Verbatim]"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: under which key (none in a list), at which column its parent, in brackets or not."""

    key: Node | None
    column: int
    flow: bool


def rewritten(text: str, root: Node, old: Json, new: Json) -> str:
    """The text with the document at `root` changed from one value to another. Raises InexpressibleError."""
    writing = _Writing(text, root)
    writing.visit(root, old, new, _Place(None, -_STEP, flow=root.flow))
    return writing.result()


def same(one: Json, other: Json) -> bool:
    """Whether two values are equal as JSON: `true` is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


class _Writing:
    """Collects what to replace in one document's text."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._json = root.flow
        self._step = _indentation(root) or _STEP
        breaks = list(_BREAK.finditer(text))
        self._newline = breaks[0][0] if breaks else "\n"
        self._starts = [0, *(each.end() for each in breaks)]
        self._splices: list[tuple[int, int, str]] = []
        self._values: dict[Node, Json] = {}

    def result(self) -> str:
        """The text with everything replaced."""
        pieces, at = [], 0
        for begin, end, new in sorted(self._splices, key=lambda splice: splice[:2]):
            if begin < at:
                raise InexpressibleError("two edits overlap")
            pieces += [self._text[at:begin], new]
            at = end
        return "".join([*pieces, self._text[at:]])

    def visit(self, node: Node, old: Json, new: Json, place: _Place) -> None:
        """Make a node say `new`. Every node is visited: an alias below may have to change as its anchor did."""
        self._values[node] = new
        if node.kind == "alias":
            self._alias(node, new, place)
        elif node.kind == "mapping" and isinstance(new, dict):
            self._mapping(node, old if isinstance(old, dict) else {}, new, place)
        elif node.kind == "list" and isinstance(new, list) and len(new) == len(node.items):
            before = old if isinstance(old, list) and len(old) == len(new) else new
            inner = _Place(None, node.column, flow=node.flow)
            for item, was, value in zip(node.items, before, new, strict=True):
                self.visit(item, was, value, inner)
        elif node.kind != "scalar" or not same(old, new):
            self._replace(node, new, place)

    # --- aliases ---

    def _alias(self, node: Node, new: Json, place: _Place) -> None:
        assert node.target
        base = self._values.get(node.target)
        if same(base, new):
            return
        if isinstance(base, dict) and isinstance(new, dict) and base.keys() <= new.keys():
            differing = {key: value for key, value in new.items() if key not in base or not same(base[key], value)}
            self._replace(node, {MERGE: _Verbatim(self._text[node.start : node.end]), **differing}, place)
        else:
            self._replace(node, new, place)

    def _inherited(self, node: Node) -> dict[str, Json]:
        """What the merged mappings give, the first of them first."""
        found: dict[str, Json] = {}
        for key, value in node.entries:
            if key.text == MERGE:
                for source in value.items or [value]:
                    given = self._values.get(source.target) if source.target else None
                    if not isinstance(given, dict):
                        raise InexpressibleError("a merge of something else than an alias")
                    found = {**given, **found}
        return found

    # --- mappings ---

    def _mapping(self, node: Node, old: dict[str, Json], new: dict[str, Json], place: _Place) -> None:
        inherited = self._inherited(node)
        own = [(key, value) for key, value in node.entries if key.text != MERGE]
        kept = [(key, value) for key, value in own if key.text in new or key.text not in old]
        spread = node.flow and not node.entries and not place.flow and new
        if spread or (own and not kept and len(own) == len(node.entries)):
            self._replace(node, new, place)
            return
        inner = _Place(None, node.column, flow=node.flow)
        for key, value in node.entries:
            if (key, value) in kept:
                if key.text in new:
                    self.visit(value, old.get(key.text), new[key.text], _Place(key, inner.column, inner.flow))
            elif key.text != MERGE:
                self._delete(node, key, value)
        written = {key.text for key, _ in own}
        added = {
            key: value
            for key, value in new.items()
            if key not in written and not (key in inherited and same(inherited[key], value))
        }
        if added:
            self._insert(node, added, place)

    def _insert(self, node: Node, added: Mapping[str, Json], place: _Place) -> None:
        if node.flow:
            self._insert_in_brackets(node, added)
            return
        first, last = node.entries[0][0], node.entries[-1]
        merges = any(key.text == MERGE for key, _ in node.entries)
        head = self._next_line(self._head(node, place)) if place.key and not place.flow else None
        lines = self._block(added, node.column)
        if head is not None and head <= first.properties and not merges:
            self._splice(head, head, self._lines(lines))
        else:
            self._after(max(each.end for each in last), lines)

    def _insert_in_brackets(self, node: Node, added: Mapping[str, Json]) -> None:
        pairs = [f"{self._key(key)}: {self._brackets(value)}" for key, value in added.items()]
        if not node.entries:
            self._splice(node.start + 1, node.start + 1, ", ".join(pairs))
            return
        first = node.entries[0][0].properties
        gap = self._text[node.start + 1 : first]
        between = gap if _BREAK.search(gap) and not gap.strip() else " "
        if any(key.text == MERGE for key, _ in node.entries):
            end = max(each.end for each in node.entries[-1])
            self._splice(end, end, "".join(f",{between}{pair}" for pair in pairs))
        else:
            self._splice(first, first, "".join(f"{pair},{between}" for pair in pairs))

    def _delete(self, node: Node, key: Node, value: Node) -> None:
        index = next(place for place, entry in enumerate(node.entries) if entry[0] is key)
        following = node.entries[index + 1][0].properties if index + 1 < len(node.entries) else None
        end = max(key.end, value.end)
        if node.flow:
            before = max(each.end for each in node.entries[index - 1]) if index else node.start + 1
            self._splice(*((key.properties, following) if following is not None else (before, end)), "")
            return
        line = self._line_start(key.properties)
        if not self._text[line : key.properties].strip():
            self._splice(line, self._next_line(end), "")
        elif following is not None:
            self._splice(key.properties, following, "")
        else:
            raise InexpressibleError("the only field beside a dash")

    # --- single values ---

    def _replace(self, node: Node, new: _Written, place: _Place) -> None:
        if place.flow or self._json:
            self._splice(node.start, node.end, self._brackets(new))
        elif isinstance(new, dict) and new:
            self._replace_by_block(node, new, place)
        elif node.kind in ("mapping", "list") and not node.flow:
            head = self._head(node, place)
            self._splice(head, self._line_end(node.end), f" {self._brackets(new)}")
        elif node.empty:
            self._splice(node.start, node.end, f" {self._brackets(new)}")
        else:
            ended = self._newline if _BREAK.search(self._text[node.end - 1 : node.end]) else ""
            self._splice(node.start, node.end, self._brackets(new) + ended)

    def _replace_by_block(self, node: Node, new: Mapping[str, _Written], place: _Place) -> None:
        head = self._head(node, place)
        lines = self._block(new, max(place.column, 0) + self._step)
        if place.key is None or self._line_start(head) != self._line_start(node.start):
            if node.column <= place.column:
                raise InexpressibleError("a list becomes a mapping")
            lines = self._block(new, node.column)
            self._splice(node.start, node.end, self._newline.join(lines).lstrip(" "))
            return
        if not node.empty:
            begin = node.start
            while self._text[begin - 1] in " \t":
                begin -= 1
            self._splice(begin, node.end, "")
        self._after(node.end, lines)

    def _head(self, node: Node, place: _Place) -> int:
        """The end of what stands before a value: its key's colon, or its anchor and tag."""
        if node.properties < node.start and node.kind != "alias":
            properties = self._text[node.properties : node.start]
            return node.properties + len(properties.partition("#")[0].rstrip())
        if place.key is None:
            return node.start
        return self._text.index(":", place.key.end) + 1

    # --- text ---

    def _block(self, value: Mapping[str, _Written], column: int) -> list[str]:
        """A mapping as indented lines."""
        lines = []
        for key, inner in value.items():
            lead = f"{' ' * column}{self._key(key)}:"
            if isinstance(inner, dict) and inner:
                lines += [lead, *self._block(inner, column + self._step)]
            else:
                lines.append(f"{lead} {self._brackets(inner)}")
        return lines

    def _brackets(self, value: _Written) -> str:
        if isinstance(value, _Verbatim):
            return value.text
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self._key(key)}: {self._brackets(inner)}" for key, inner in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self._brackets, value)) + "]"
        if isinstance(value, str):
            return value if not self._json and _is_plain(value) else json.dumps(value)
        return json.dumps(value)

    def _key(self, key: str) -> str:
        return key if not self._json and (_is_plain(key) or key == MERGE) else json.dumps(key)

    def _lines(self, lines: list[str]) -> str:
        return "".join(line + self._newline for line in lines)

    def _after(self, end: int, lines: list[str]) -> None:
        """Write lines below the one in which something ends."""
        at = self._next_line(end)
        open_line = at == len(self._text) and not _BREAK.search(self._text[at - 1 : at])
        self._splice(at, at, self._newline + self._newline.join(lines) if open_line else self._lines(lines))

    def _splice(self, begin: int, end: int, new: str) -> None:
        self._splices.append((begin, end, new))

    def _line_start(self, position: int) -> int:
        return self._starts[bisect_right(self._starts, position) - 1]

    def _line_end(self, position: int) -> int:
        found = _BREAK.search(self._text, position)
        return found.start() if found else len(self._text)

    def _next_line(self, position: int) -> int:
        """The start of the next line; the position itself where a block scalar has ended its line."""
        following = bisect_left(self._starts, position)
        return self._starts[following] if following < len(self._starts) else len(self._text)


def _is_plain(text: str) -> bool:
    return bool(_WORD.fullmatch(text)) and plain(text) == text


def _indentation(root: Node) -> int:
    """By how much the document indents mappings in mappings."""
    pending = [root]
    while pending:
        node = pending.pop()
        for _, value in node.entries:
            if value.kind == "mapping" and not value.flow and value.entries:
                return value.column - node.column
        pending += [*node.items, *(value for _, value in reversed(node.entries))]
    return 0
