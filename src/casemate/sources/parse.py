"""Read YAML (and so JSON) text into plain values with the position of each: strict and bounded.

1. Text is UTF-8 without control characters.
2. Nothing recurses: the parser's events are folded with an explicit stack, so depth costs nothing before the limit.
3. Sizes are bounded before memory is spent: bytes, documents, values, depth. An alias counts as all that it stands
   for, in values and in depth, which is what stops the "billion laughs".
4. Keys are strings, as in JSON; scalar keys become strings as sigs.k8s.io/yaml makes them. The same key twice is an
   error.
5. Scalars mean what kubectl takes them for (`casemate.sources.scalars`). Only YAML's own tags are known: no tag makes
   objects.
6. `<<` merges mappings. A key that stands before the `<<` that brings it too is an error: parsers disagree on which one
   counts.
7. Each value keeps its position: that of its key in a mapping, its own in a list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import yaml
from yaml._yaml import CParser

from casemate.sources import scalars
from casemate.sources.marks import Marks
from casemate.sources.problems import ENOUGH, Problem
from casemate.sources.scalars import Scalar

Value: TypeAlias = "Scalar | list[Value] | dict[str, Value]"

MAX_BYTES = 16 << 20
MAX_DEPTH = 100
MAX_VALUES = 500_000
MAX_DOCUMENTS = 10_000
MAX_DIRECTIVES = 100

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_TAG = "tag:yaml.org,2002:"
_COLLECTION_TAGS = frozenset((None, "!", f"{_TAG}map", f"{_TAG}seq"))
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
_STRING_TAGS = frozenset(("!", f"{_TAG}str", f"{_TAG}timestamp"))


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document of a stream: its value and the position of everything in it."""

    value: Value
    marks: Marks


class UnreadableError(Exception):
    """The rest of a stream cannot be read, for the reason that `problem` gives."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def parse(data: bytes, file: str) -> tuple[list[Parsed], list[Problem]]:
    """All documents of a stream up to the first that cannot be read, and what is wrong with the stream.

    `file` is the name that positions carry. Empty documents are left out, as kubectl leaves them out.
    """
    fold = _Fold(file)
    try:
        text = _text(data, file)
        _feed(fold, text)
    except UnreadableError as stop:
        fold.problems.append(replace(stop.problem, unread=True))
    except yaml.YAMLError as error:
        fold.problems.append(replace(_syntax_problem(error, text, file), unread=True))
    return fold.documents, fold.problems


def _text(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise UnreadableError(Problem(file, f"larger than {MAX_BYTES >> 20} MiB", "split the file"))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError(Problem(f"{file}:1:1", "the text is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = _position(data[: error.start].decode("utf-8", "replace"), file)
        raise UnreadableError(
            Problem(where, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        ) from None
    _check_characters(text, file)
    return _SURROGATES.sub(_one_escape, text) if "\\u" in text else text


def _check_characters(text: str, file: str) -> None:
    control = _CONTROL.search(text)
    if control:
        what = f"character U+{ord(control[0]):04X} is not allowed in YAML"
        where = _position(text[: control.start()], file)
        raise UnreadableError(Problem(where, what, "remove it, or write it as an escape in a double-quoted string"))
    # The parser compares each %TAG directive with all before it.
    if len(re.findall(r"^%", text, re.MULTILINE)) > MAX_DIRECTIVES:
        raise UnreadableError(Problem(f"{file}:1:1", "too many % directives", "remove them: manifests need none"))


def _one_escape(pair: re.Match[str]) -> str:
    """JSON writes characters beyond U+FFFF as two \\u escapes, which YAML does not know: join them into one."""
    code = 0x10000 + ((int(pair[2], 16) - 0xD800) << 10) + int(pair[3], 16) - 0xDC00
    return f"{pair[1]}\\U{code:08X}"


def _position(before: str, file: str) -> str:
    return f"{file}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    if mark is None:
        return Problem(f"{file}:1:1", f"not YAML: {what}")
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    where = f"{file}:{mark.line + 1}:{mark.column + 1}"
    return Problem(where, f"not YAML: {what}", _syntax_advice(what, line[: mark.column + 1]))


def _syntax_advice(what: str, before: str) -> str:
    if "\t" in before:
        return "indent with spaces: YAML does not allow tabs there"
    if "<document start>" in what:
        return "put a line --- between documents"
    return "look at this line and the one before it"


def _feed(fold: _Fold, text: str) -> None:
    parser = CParser(text)
    while event := parser.get_event():
        fold.take(event)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read, with what it counts for when an alias repeats it."""

    line: int
    column: int
    anchor: str | None
    mapping: dict[str, Value] | None = None
    items: list[Value] | None = None
    children: dict[str, Marks] = field(default_factory=dict)
    item_marks: list[Marks] = field(default_factory=list)
    key: str | None = None
    key_line: int = 0
    key_column: int = 0
    merging: bool = False
    merged: set[str] | None = None
    values: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Value
    marks: Marks
    values: int
    height: int


class _Fold:
    """Folds parser events into documents."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.documents: list[Parsed] = []
        self.problems: list[Problem] = []
        self._seen = 0
        self._values = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored | None] = {}

    def take(self, event: yaml.Event) -> None:
        """Fold one event in."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)

    def _where(self, event: yaml.Event) -> str:
        line, column = _start(event)
        return f"{self.file}:{line}:{column}"

    def _stop(self, event: yaml.Event, what: str, fix: str) -> UnreadableError:
        return UnreadableError(Problem(self._where(event), what, fix))

    def _note(self, event: yaml.Event, what: str, fix: str) -> None:
        if len(self.problems) >= ENOUGH:
            raise self._stop(event, what, fix)
        self.problems.append(Problem(self._where(event), what, fix))

    def _document(self, event: yaml.Event) -> None:
        self._anchors.clear()
        self._seen += 1
        if self._seen > MAX_DOCUMENTS:
            raise self._stop(event, f"more than {MAX_DOCUMENTS} documents", "split the file")

    def _count(self, event: yaml.Event, values: int, height: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            aliases = " once its aliases are expanded" if values > 1 else ""
            raise self._stop(event, f"more than {MAX_VALUES} values{aliases}", "split the file, or use fewer aliases")
        if len(self._open) + height > MAX_DEPTH:
            raise self._stop(event, f"nested more than {MAX_DEPTH} levels deep", "manifests need far fewer levels")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event, 1, 0)
        top = self._open[-1] if self._open else None
        if top is not None and top.mapping is not None and top.key is None and not top.merging:
            self._key(event, top, top.mapping)
            return
        value = self._resolve(event)
        marks = Marks(*_start(event))
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, marks, 1, 0)
        self._add(value, marks)

    def _resolve(self, event: yaml.ScalarEvent) -> Scalar:
        tag, text = event.tag, event.value
        if tag is None and not event.implicit[0]:
            return text
        if tag in _STRING_TAGS:
            return text
        try:
            value = scalars.plain(text)
        except ValueError:
            self._note(event, f"{text} is no number that JSON has", "write a finite number, or quote it")
            return None
        if tag is None or isinstance(value, _SCALAR_TAGS.get(tag, ())):
            return value
        self._note(event, f"cannot read {text!r} as {_shown(tag)}", "remove the tag")
        return None

    def _key(self, event: yaml.ScalarEvent, top: _Open, mapping: dict[str, Value]) -> None:
        top.key_line, top.key_column = _start(event)
        if event.value == "<<" and event.implicit[0]:
            if top.merged is not None:
                self._note(event, "<< stands twice in one mapping", "list both in one: <<: [*a, *b]")
            top.merging = True
            return
        key = _key_text(self._resolve(event))
        if key is None:
            self._note(event, "a key is null", "write the key, or quote it")
            key = event.value
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(key, Marks(top.key_line, top.key_column), 1, 0)
        if key in mapping and not (top.merged and key in top.merged):
            first = top.children[key]
            again = f'"{key}" is set twice (first in line {first.line})'
            read_as = f", as {event.value} is read as {key}" if key != event.value else ""
            self._note(event, again + read_as, "keep one of them")
        if top.merged:
            top.merged.discard(key)
        top.key = key

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._count(event, 1, 1)
        top = self._open[-1] if self._open else None
        if top is not None and top.mapping is not None and top.key is None and not top.merging:
            raise self._stop(event, "a key is a list or a mapping", "keys are plain text; look for an unquoted { or [")
        if event.tag not in _COLLECTION_TAGS:
            self._note(event, f"tag {_shown(event.tag)} is not known", "remove the tag")
        opened = _Open(*_start(event), event.anchor)
        if isinstance(event, yaml.MappingStartEvent):
            opened.mapping = {}
        else:
            opened.items = []
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(opened)

    def _end(self) -> None:
        done = self._open.pop()
        value: Value = done.mapping if done.mapping is not None else done.items
        marks = Marks(done.line, done.column, done.children if done.mapping is not None else done.item_marks)
        if done.anchor:
            self._anchors[done.anchor] = _Anchored(value, marks, done.values, done.height)
        self._add(value, marks, done.values, done.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor
        if name not in self._anchors:
            raise self._stop(
                event, f"alias *{name} has no anchor &{name} before it", "define it earlier in this document"
            )
        anchored = self._anchors[name]
        if anchored is None:
            raise self._stop(event, f"alias *{name} stands inside what it names", "write the value out")
        top = self._open[-1]
        if top.mapping is not None and top.key is None and not top.merging:
            raise self._stop(event, f"alias *{name} stands where a key belongs", "write the key out")
        self._count(event, anchored.values, anchored.height)
        marks = Marks(*_start(event), anchored.marks.children)
        self._add(anchored.value, marks, anchored.values, anchored.height)

    def _add(self, value: Value, marks: Marks, values: int = 1, height: int = 0) -> None:
        """Put a finished value where it belongs."""
        if not self._open:
            if value is not None:
                self.documents.append(Parsed(value, marks))
            return
        top = self._open[-1]
        top.values += values
        if height >= top.height:
            top.height = height + 1
        if top.items is not None:
            top.items.append(value)
            top.item_marks.append(marks)
        elif top.merging:
            self._merge(top, value, marks)
        elif top.mapping is not None and top.key is not None:
            top.mapping[top.key] = value
            top.children[top.key] = Marks(top.key_line, top.key_column, marks.children)
            top.key = None

    def _merge(self, top: _Open, value: Value, marks: Marks) -> None:
        """Bring in what `<<` names: of several mappings, the first that has a key gives it."""
        where = f"{self.file}:{top.key_line}:{top.key_column}"
        explicit = set(top.children)
        top.merging, top.merged = False, top.merged or set()
        sources = value if isinstance(value, list) else [value]
        marked = marks.children if isinstance(marks.children, list) else [marks]
        for source, positions in zip(sources, marked, strict=True):
            if not isinstance(source, dict) or not isinstance(positions.children, dict):
                self.problems.append(Problem(where, "<< takes a mapping or a list of mappings", "name a mapping"))
                continue
            for key in explicit.intersection(source) - top.merged:
                what = f'"{key}" is set both before << and by it; parsers disagree on which one counts'
                self.problems.append(Problem(where, what, "move << to the top of the mapping"))
            self._take_over(top, source, positions.children)

    @staticmethod
    def _take_over(top: _Open, source: dict[str, Value], marks: dict[str, Marks]) -> None:
        if top.mapping is None or top.merged is None:
            return
        for key in source.keys() - top.children.keys():
            top.mapping[key] = source[key]
            top.children[key] = marks[key]
            top.merged.add(key)


def _start(event: yaml.Event) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _key_text(value: Scalar) -> str | None:
    """A scalar key as sigs.k8s.io/yaml writes it in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _shown(tag: str | None) -> str:
    return (tag or "").replace(_TAG, "!!")
