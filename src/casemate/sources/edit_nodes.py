"""Where everything stands in YAML text, to the character: the tree that edits are made on.

1. A node spans from its first character to behind its last; `properties` is where its anchor or tag begins, if it has
   one. What follows a collection (comments, blank lines) is not part of it.
2. An alias knows the node that it names. Nothing is expanded, so the tree is never larger than the text.
3. The text has been read by the exact parser before: its depth is bounded, its aliases have anchors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import yaml
from yaml._yaml import CParser

from casemate.sources.scalars import plain

Kind: TypeAlias = Literal["scalar", "mapping", "list", "alias"]

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*(?:\s+|#[^\n]*\n)*)*")
_SURROGATES: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


@dataclass(eq=False, slots=True)
class Node:
    """One value as written.

    `text` is the key that a scalar is, `flow` tells collections in brackets from indented ones.
    """

    kind: Kind
    properties: int
    start: int
    end: int
    column: int
    flow: bool = False
    text: str = ""
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    target: Node | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is written: a null after `key:`."""
        return self.kind == "scalar" and self.start == self.end


MERGE: Final = "<<"


def nodes(text: str) -> list[Node]:
    """The root node of each document. Raises `yaml.YAMLError`."""
    tree = _Tree(text)
    # The parser does not know escapes of two halves; only their length counts here.
    parser = CParser(_SURROGATES.sub(lambda match: "x" * len(match[0]), text))
    while event := parser.get_event():
        tree.take(event)
    return tree.roots


class _Tree:
    """Folds parser events into nodes."""

    def __init__(self, text: str) -> None:
        self.roots: list[Node] = []
        self._text = text
        self._open: list[Node] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: yaml.Event) -> None:
        """Fold one event in."""
        match event:
            case yaml.DocumentStartEvent():
                self._anchors.clear()
            case yaml.AliasEvent():
                self._add(self._node("alias", event, target=self._anchors[event.anchor or ""]))
            case yaml.ScalarEvent():
                self._add(self._named(event, self._node("scalar", event, text=_name(event))))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
                self._open.append(self._named(event, self._node(kind, event, flow=bool(event.flow_style))))
                self._keys.append(None)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(_span(event)[1])

    def _node(
        self, kind: Kind, event: yaml.Event, *, flow: bool = False, text: str = "", target: Node | None = None
    ) -> Node:
        begin, end, column = _span(event)
        start = begin
        if getattr(event, "tag", None) is not None or (kind != "alias" and getattr(event, "anchor", None)):
            properties = _PROPERTIES.match(self._text, begin)
            start = properties.end() if properties else begin
            start = min(start, end) if kind == "scalar" else start
        column = column if start == begin else start - self._line_start(start)
        return Node(kind, begin, start, end, column, flow=flow, text=text, target=target)

    def _line_start(self, position: int) -> int:
        return self._text.rfind("\n", 0, position) + 1

    def _named(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, node: Node) -> Node:
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _close(self, end: int) -> None:
        node = self._open.pop()
        self._keys.pop()
        if node.flow:
            node.end = end
        elif node.entries:
            node.end = max(each.end for each in node.entries[-1])
            node.start = min(node.entries[0][0].properties, node.entries[0][0].start)
            node.column = node.start - self._line_start(node.start)
        elif node.items:
            node.end = max(node.end, node.items[-1].end)
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self._open:
            self.roots.append(node)
            return
        top = self._open[-1]
        if top.kind == "list":
            top.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = node
        else:
            top.entries.append((key, node))
            self._keys[-1] = None


def _span(event: yaml.Event) -> tuple[int, int, int]:
    """First character, the one behind the last, and the column of the first."""
    assert event.start_mark
    assert event.end_mark
    return event.start_mark.index, event.end_mark.index, event.start_mark.column


def _name(event: yaml.ScalarEvent) -> str:
    """A scalar as the key that it is in JSON."""
    if event.tag is not None or not event.implicit[0]:
        return str(event.value)
    try:
        value = plain(event.value)
    except ValueError:
        return str(event.value)
    return str(value).lower() if isinstance(value, bool) else str(value)
