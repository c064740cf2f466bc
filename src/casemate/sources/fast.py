"""Read text into plain values fast, for assessment: exact where it matters, positions only when somebody asks.

1. A line `---` parts documents, wherever it stands: no scalar may hold it. JSON is one document, or one value after
   another (`casemate.sources.fast_stream`). A byte order mark may begin each document.
2. Documents of plain lines, as programs write them, are read line by line (`casemate.sources.fast_layout`): exactly.
3. Of the others, a fast YAML 1.2 parser reads what means the same to kubectl, which reads YAML 1.1. All else goes to
   the exact parser (`casemate.sources.parse`): octal numbers, merge keys, aliases, tags, infinities, directives,
   foreign line breaks. So do the words that YAML 1.1 takes for booleans, `yes` and `on` among them. One that is
   overlooked stays text, and where the field is a boolean the decoder asks for the exact value. Of a document in
   braces the fast parser drops all that follows them: such a one is JSON, or read exactly.
4. Neither aliases nor depth cost more than they do in the exact parser: text that may hold either goes there.
5. What the fast parser refuses is read exactly too: its problems have positions and advice.
6. The same key twice is reported, and the last one counts, as for the API server (`casemate.sources.fast_twice`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import AnyStr, TypeAlias

import msgspec
import yaml12

from casemate.sources import fast_stream, fast_twice
from casemate.sources.fast_layout import Outline, lay_out
from casemate.sources.fast_lines import NotPlainError
from casemate.sources.marks import Marks, Path
from casemate.sources.parse import MAX_BYTES, parse
from casemate.sources.problems import Problem

MAX_FILE = 256 << 20

Plain: TypeAlias = object
"""Any value of the fast parser: checked where it is used, never trusted to be what kubectl would read."""

_SEPARATOR = re.compile(r"\n---(?=[ \t\n]|\Z)")
_BLANK = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*")
_FOREIGN = re.compile("[\r\x85\u2028\u2029]")
_TAG = re.compile(r"!(?<=[\s\[{,]!)(?!=)|\A!")
_MERGE = re.compile(r"<<[\"']?\s*:")
_IN_BRACES = re.compile(r"(?:&\S+\s+)?[{\[]")
_START = r"(?<![^\s\[{,+\-.]%s)"  # The character before stands where a scalar may begin, so that digests do not count.
_OCTAL = re.compile(rf"0{_START % '0'}(?:[0-9_]|b[01])")
_NUMBER = re.compile(rf"[0-9]{_START % '[0-9]'}(?:[0-9.]*(?:_|[eE]\+?[0-9]{{3}})|[0-9]{{18}})")
_ENDLESS = re.compile(rf"\.{_START % '[.]'}(?:[iI][nN][fF]|[nN][aA][nN])")
_BOOLEAN = r"(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)(?:[ \t]*[,}\]\n:]|[ \t]+#|[ \t]*\Z)"
_BEFORE = (": ++", ":\n[ \n]*+", "- ++", r"\? ++", r"\[[ \n]*+", r"\{[ \n]*+", ",[ \n]*+")
_WORDS = tuple(re.compile(before + _BOOLEAN) for before in _BEFORE)  # Apart, for the search is for their first letters.
_NESTED = re.compile(r"[-?][ \t]+[-?][ \t]+[-?][ \t]")
_ITEMS = re.compile(r"^items:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)
_JSON_ITEMS = re.compile(rb'"items"\s*:\s*\[\s*\n( +)\{')
_FIRST = re.compile(r"\(first in line (\d+)\)")
_DEEPEST_LIST = 8
_DEEP = " " * 200
_SHORT = 4000  # Characters: too few for more levels than the fast parser's stack holds.
_ANCHOR = re.compile(r"&(?<=[\s\[{,:]&)([^\s,\[\]{}]+)")


class _Head(msgspec.Struct):
    apiVersion: object = None  # noqa: N815
    kind: object = None
    items: list[msgspec.Raw] | None = None


class Written(msgspec.Struct, frozen=True):
    """One document or list item as written: its value and the line where it begins.

    `text` is the document's, which begins in line `begin`, unless the exact parser read it: the value may be inexact,
    but not where there is an `outline`. Of a list's document, this is the value at `item`. `marks` are positions where
    the exact parser gave them, `shift` lines higher.
    """

    value: Plain
    file: str
    line: int
    text: str | None = None
    begin: int = 1
    item: int | None = None
    marks: Marks | None = None
    shift: int = 0
    outline: Outline | None = None

    def where(self, path: Path = ()) -> str:
        """`file:line:column` of a field, or of the nearest thing around it whose position is known."""
        if self.marks is None:
            return f"{self.file}:{self.line}:1"
        here = self.marks.at(path)
        return f"{self.file}:{here.line + self.shift}:{here.column}"


def read(data: bytes, file: str) -> Iterator[Written | Problem]:
    """The documents of a file, the items of lists in their place."""
    if len(data) > MAX_FILE:
        yield Problem(file, f"larger than {MAX_FILE >> 20} MiB", "split the file", unread=True)
    elif data.lstrip()[:1] in (b"{", b"["):
        yield from _braces(data, file)
    else:
        yield from _yaml(data, file)


def _braces(data: bytes, file: str) -> Iterator[Written | Problem]:
    """JSON, several values of it, or YAML after all."""
    if (found := _json(data)) is not None:
        yield from _json_items(found, data, file)
        return
    parts = [(part, line, _json(part)) for part, line in fast_stream.values(data)]
    if not parts or any(value is None for _, _, value in parts):
        yield from _yaml(data, file)
        return
    for part, line, value in parts:
        for each in _json_items(value, part, file) if value is not None else ():
            if isinstance(each, Problem):
                yield _moved(each, file, line - 1)
            else:
                yield msgspec.structs.replace(each, line=each.line + line - 1, shift=each.shift + line - 1)


def exactly(written: Written) -> tuple[Written | Problem, ...]:
    """The same as the exact parser reads it, with what is wrong with it."""
    if written.text is None:
        return (written,)
    found = _reread(written.text, written.file, written.begin)
    if written.item is None:
        return found
    items = [each for each in found if isinstance(each, Written) and each.item == written.item]
    return (*items, *(each for each in found if isinstance(each, Problem)))


@lru_cache(maxsize=1)
def _reread(text: str, file: str, begin: int) -> tuple[Written | Problem, ...]:
    """A list is read again once, not for each of its items."""
    return tuple(_exact(text.encode("utf-8", "replace"), file, begin))


def _json(data: bytes) -> _Head | dict[str, object] | None:
    """A list with its items unread, or the object. None for what is no JSON after all."""
    try:
        if not data.isascii():
            data.decode()  # msgspec looks at the text of what it decodes only.
        head = msgspec.json.decode(data, type=_Head)
        if head.items is not None and is_list(head.kind):
            return head
        return msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _json_items(found: _Head | dict[str, object], data: bytes, file: str) -> Iterator[Written | Problem]:
    if isinstance(found, dict):
        if fast_twice.in_json(data, found):
            yield from _exact(data, file, 1)
            return
        yield Written(found, file, 1 + data[: len(data) - len(data.lstrip())].count(b"\n"))
        return
    items = found.items or []
    for raw, line in zip(items, _json_lines(data, len(items)), strict=True):
        try:
            value = msgspec.json.decode(raw)
        except RecursionError:
            yield Problem(f"{file}:{line}:1", "nested too deep", "manifests need far fewer levels", unread=True)
            continue
        if fast_twice.in_json(bytes(raw), value):
            yield Problem(f"{file}:{line}:1", "a key is set twice in this item", "keep one of them: the last counts")
        yield from _opened(Written(_typed(value, found.kind, found.apiVersion), file, line), depth=1)


def _json_lines(data: bytes, count: int) -> list[int]:
    """Where items begin in JSON laid out for people: the lines of braces in one column, when there are as many."""
    start = _JSON_ITEMS.search(data)
    if start:
        first = start.start(1)
        at = [match.start() for match in re.finditer(rb"^%s\{" % start[1], data[first:], re.MULTILINE)]
        if len(at) == count:
            begin = 1 + data.count(b"\n", 0, first)
            return [begin + before for before in _line_ends(data, b"\n", first, at)]
    return [1] * count


def _line_ends(data: AnyStr, end: AnyStr, first: int, offsets: list[int]) -> Iterator[int]:
    """How many lines end before each of some ascending offsets."""
    lines, here = 0, 0
    for offset in offsets:
        lines += data.count(end, first + here, first + offset)
        here = offset
        yield lines


def _yaml(data: bytes, file: str) -> Iterator[Written | Problem]:
    try:
        text = "\n" + data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        yield from _exact(data, file, 1)
        return
    if "\ufeff" in text:
        text = text.replace("\n\ufeff", "\n")
    if "\n%" in text or "\n..." in text or ("\r" in text if text.isascii() else _FOREIGN.search(text)):
        yield from _exact(data, file, 1)
        return
    begin, line = 1, 1
    for mark in _SEPARATOR.finditer(text):
        yield from _document(text[begin : mark.start() + 1], file, line)
        line += text.count("\n", begin, mark.start() + 1)
        begin = mark.end()
    yield from _document(text[begin:], file, line)


def _document(text: str, file: str, line: int) -> Iterator[Written | Problem]:
    blank = _BLANK.match(text)
    assert blank
    if blank.end() == len(text):
        return
    line += text.count("\n", 0, blank.end())
    text = text[blank.end() :]
    if "kind" not in text and "\\" not in text:
        yield Written(None, file, line)
        return
    outline = None
    try:
        outline, value = lay_out(text)
    except NotPlainError:
        value = _parsed(text)
    if value is None:
        yield from _exact(text.encode(), file, line)
    else:
        yield from _opened(Written(value, file, line, text, line, outline=outline))


def _parsed(text: str) -> Plain | None:
    """What the fast parser reads; None where it takes the exact one."""
    try:
        if _IN_BRACES.match(text):
            value = msgspec.json.decode(text)
            return None if fast_twice.in_json(text.encode(), value) else value
        return None if _is_trap(text) else yaml12.parse_yaml(text)
    except (ValueError, RecursionError):
        return None


def _is_trap(text: str) -> bool:
    """Whether the fast parser might read it as something else than kubectl does, or not survive it."""
    if _TAG.search(text) or ("<<" in text and _MERGE.search(text)):
        return True
    if any(each.search(text) for each in _WORDS):
        return True
    if _OCTAL.search(text) or _ENDLESS.search(text) or _NUMBER.search(text):
        return True
    if len(text) > _SHORT and (_DEEP in text or _NESTED.search(text)):
        return True
    if "ontainers" in text and fast_twice.in_yaml(text):
        return True
    if "&" not in text or "*" not in text:
        return False
    return any(f"*{name}" in text for name in set(_ANCHOR.findall(text)))


def _exact(data: bytes, file: str, line: int) -> Iterator[Written | Problem]:
    parsed, problems = parse(data[: MAX_BYTES + 1], file)
    for each in parsed:
        begin = each.marks.line + line - 1
        yield from _opened(Written(each.value, file, begin, marks=each.marks, shift=line - 1))
    yield from (_moved(problem, file, line - 1) for problem in problems)


def _moved(problem: Problem, file: str, lines: int) -> Problem:
    """The same problem, further down by so many lines."""
    place = problem.where.removeprefix(f"{file}:").split(":")
    if problem.where == file or len(place) != 2 or not place[0].isdecimal():
        return problem
    what = _FIRST.sub(lambda first: f"(first in line {int(first[1]) + lines})", problem.what)
    return replace(problem, where=f"{file}:{int(place[0]) + lines}:{place[1]}", what=what)


def _opened(written: Written, depth: int = 0) -> Iterator[Written]:
    """The document itself, or the items of a list, each with its line where that is known."""
    value = written.value
    kind, items = (value.get("kind"), value.get("items")) if isinstance(value, dict) else (None, None)
    if not isinstance(value, dict) or not isinstance(items, list) or not is_list(kind) or depth > _DEEPEST_LIST:
        yield written
        return
    lines = _item_lines(written, len(items))
    for index, item in enumerate(items):
        typed = _typed(item, kind, value.get("apiVersion"))
        marks = written.marks.at(("items", index)) if written.marks else None
        if depth or (isinstance(typed, dict) and is_list(typed.get("kind"))):
            inner = Written(typed, written.file, lines[index], marks=marks, shift=written.shift)
            yield from _opened(inner, depth=depth + 1)
        else:
            known = (written.text, written.begin, index, marks, written.shift, written.outline)
            yield Written(typed, written.file, lines[index], *known)


def is_list(kind: object) -> bool:
    """Whether objects of this kind hold others as `items`."""
    return isinstance(kind, str) and kind.endswith("List")


def _typed(item: Plain, kind: object, version: object) -> Plain:
    """Items of a typed list (`PodList`) may leave out what the list says."""
    if not isinstance(item, dict) or not isinstance(kind, str) or kind == "List":
        return item
    return {"apiVersion": version, "kind": kind.removesuffix("List")} | item


def _item_lines(written: Written, count: int) -> list[int]:
    """Where items begin: by their positions, or the lines with a dash in one column when there are as many as items."""
    positions = written.marks.at(("items",)).children if written.marks else None
    if isinstance(positions, list):
        return [each.line + written.shift for each in positions]
    text = written.text or ""
    start = _ITEMS.search(text)
    if start:
        first = start.start(1)
        at = [match.start() for match in re.finditer(rf"^{start[1]}- ", text[first:], re.MULTILINE)]
        if len(at) == count:
            begin = written.begin + text.count("\n", 0, first)
            return [begin + before for before in _line_ends(text, "\n", first, at)]
    return [written.line] * count
