"""Find the line of a field when somebody asks: positions cost more than all the rest of reading.

1. The document that a workload came from is looked at again: by its lines where they are plain
   (`casemate.sources.fast_places`), else by the exact parser, which keeps the position of each value.
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
from typing import NamedTuple, TypeAlias

from casemate.model.workload import Source
from casemate.sources.fast_files import Content, read
from casemate.sources.fast_fold import folded
from casemate.sources.fast_lines import NotPlainError
from casemate.sources.fast_places import Places
from casemate.sources.marks import Marks, Path, steps
from casemate.sources.parse import parse

_SEPARATOR = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)

Place: TypeAlias = tuple[int, int]
"""Line and column, from 1."""


class Text(NamedTuple):
    """A document, the line of its file that it begins in, and whether it is known to be of plain lines."""

    text: str
    begin: int
    plain: bool = False


def locate(
    source: Source, paths: Sequence[str], texts: Mapping[str, bytes] | None = None, document: Text | None = None
) -> list[Place]:
    """Where each field stands, or the nearest one around it.

    `texts` holds what cannot be read twice, by file; `document` is the object's own, where it need not be read again.
    """
    document = document or _document(source, texts or {})
    if document:
        line, wanted = source.line - document.begin + 1, [steps(path) for path in paths]
        try:
            found = _by_lines(document, line, wanted)
        except NotPlainError:
            found = _exactly(document, line, wanted)
        if found is not None:
            return [(here + document.begin - 1, column) for here, column in found]
    return [(source.line, source.column)] * len(paths)


def _by_lines(document: Text, line: int, paths: Sequence[Path]) -> list[Place] | None:
    places = _places(document.text, document.plain)
    root = places.object(line)
    return None if root is None else [places.at((*root, *path)) for path in paths]


def _exactly(document: Text, line: int, paths: Sequence[Path]) -> list[Place] | None:
    for marks in _positions(document.text):
        found = _object(marks, line)
        if found:
            return [(here.line, here.column) for here in map(found.at, paths)]
    return None


def _object(marks: Marks, line: int) -> Marks | None:
    """The object that begins in the line: an item of a list, or the document."""
    items = marks.at(("items",)).children
    for each in items if isinstance(items, list) else ():
        if each.line == line:
            return each
    return marks if marks.line == line else None


def _document(source: Source, texts: Mapping[str, bytes]) -> Text | None:
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
def _documents(file: str, changed: int, data: bytes | None) -> tuple[Text, ...]:  # noqa: ARG001
    """The documents of a file. `changed` makes an edited file another one."""
    text = (_read(file) if data is None else data).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    begins = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    documents, line = [], 1
    for begin, end in pairwise((*begins, len(text))):
        documents.append(Text(text[begin:end].removesuffix("---"), line))
        line += text.count("\n", begin, end)
    return tuple(documents)


def _read(file: str) -> bytes:
    content = read(file, named=True)
    return content.data if isinstance(content, Content) else b""


@lru_cache(maxsize=16)
def _places(text: str, plain: bool) -> Places:
    if not plain:
        folded(text)
    return Places(text)


@lru_cache(maxsize=16)
def _positions(text: str) -> tuple[Marks, ...]:
    documents, _ = parse(text.encode("utf-8", "replace"), "")
    return tuple(each.marks for each in documents)
