"""Find the line of a field when somebody asks: positions cost more than all the rest of reading.

1. The layout of the document that a workload came from tells, where its lines are plain
   (`casemate.sources.fast_layout`); else the exact parser, which keeps the position of each value. The file is read
   again, unless its outline is at hand.
2. Of a list, it is the item that begins in the workload's line.
3. What cannot be read again keeps the position of its document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path as FilePath
from typing import NamedTuple

from casemate.model.workload import Source
from casemate.sources.fast_files import Content, read
from casemate.sources.fast_layout import Outline, Position, lay_out, layout_of
from casemate.sources.fast_lines import NotPlainError
from casemate.sources.marks import Marks, Path, steps
from casemate.sources.parse import parse

_SEPARATOR = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)


class Seen(NamedTuple):
    """The outline of a document that was read, and the line of its file that it begins in."""

    outline: Outline
    begin: int


class _Text(NamedTuple):
    """A document, and the line of its file that it begins in."""

    text: str
    begin: int


def locate(
    source: Source, paths: Sequence[str], texts: Mapping[str, bytes] | None = None, seen: Seen | None = None
) -> list[Position]:
    """Where each field stands, or the nearest one around it.

    `texts` holds what cannot be read twice, by file; `seen` is the object's document, where it need not be read again.
    """
    wanted = [steps(path) for path in paths]
    found = _by_layout(seen, source.line, wanted) if seen else None
    if found is None and (document := _document(source, texts or {})):
        again = None if seen else _laid_out(document)
        found = _by_layout(again, source.line, wanted) if again else None
        found = _exactly(document, source.line, wanted) if found is None else found
    return found or [(source.line, source.column)] * len(paths)


def _by_layout(seen: Seen, line: int, paths: Sequence[Path]) -> list[Position] | None:
    lines = seen.begin - 1
    try:
        layout = layout_of(seen.outline)
        root = layout.objects.get(line - lines)
        if root is None:
            return None
        found = [layout.at((*root, *path)) for path in paths]
    except NotPlainError:
        return None
    return [(here + lines, column) for here, column in found]


def _exactly(document: _Text, line: int, paths: Sequence[Path]) -> list[Position] | None:
    lines = document.begin - 1
    for marks in _positions(document.text):
        found = _object(marks, line - lines)
        if found:
            return [(here.line + lines, here.column) for here in map(found.at, paths)]
    return None


def _object(marks: Marks, line: int) -> Marks | None:
    """The object that begins in the line: an item of a list, or the document."""
    items = marks.at(("items",)).children
    for each in items if isinstance(items, list) else ():
        if each.line == line:
            return each
    return marks if marks.line == line else None


def _document(source: Source, texts: Mapping[str, bytes]) -> _Text | None:
    if not source.file or not source.line:
        return None
    documents = _documents(source.file, _changed(source.file), texts.get(source.file))
    index = bisect_right(documents, source.line, key=lambda each: each.begin)
    return documents[index - 1] if index else None


def _changed(file: str) -> int:
    try:
        return FilePath(file).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@lru_cache(maxsize=2)
def _documents(file: str, changed: int, data: bytes | None) -> tuple[_Text, ...]:  # noqa: ARG001
    """The documents of a file. `changed` makes an edited file another one."""
    text = (_read(file) if data is None else data).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    begins = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    documents, line = [], 1
    for begin, end in pairwise((*begins, len(text))):
        documents.append(_Text(text[begin:end].removesuffix("---"), line))
        line += text.count("\n", begin, end)
    return tuple(documents)


def _read(file: str) -> bytes:
    content = read(file, named=True)
    return content.data if isinstance(content, Content) else b""


@lru_cache(maxsize=16)
def _laid_out(document: _Text) -> Seen | None:
    try:
        return Seen(lay_out(document.text)[0], document.begin)
    except NotPlainError:
        return None


@lru_cache(maxsize=16)
def _positions(text: str) -> tuple[Marks, ...]:
    documents, _ = parse(text.encode("utf-8", "replace"), "")
    return tuple(each.marks for each in documents)
