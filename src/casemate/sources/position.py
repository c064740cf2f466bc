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
from pathlib import Path
from typing import TypeAlias

from casemate.model.workload import Source
from casemate.sources.fast_files import Content, read
from casemate.sources.fast_lines import NotPlainError
from casemate.sources.fast_places import Places
from casemate.sources.marks import Marks, Step, steps
from casemate.sources.parse import parse

_SEPARATOR = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)

Place: TypeAlias = tuple[int, int]
"""Line and column, from 1."""


def locate(source: Source, paths: Sequence[str], texts: Mapping[str, bytes] | None = None) -> list[Place]:
    """Where each field stands, or the nearest one around it. `texts` holds what cannot be read twice, by file."""
    found: list[Place] | None = None
    if source.file and source.line:
        documents = _documents(source.file, _changed(source.file), (texts or {}).get(source.file))
        index = bisect_right(documents, source.line, key=lambda each: each[0]) - 1
        if index >= 0:
            begin, text = documents[index]
            found = _found(text, begin - 1, source.line, [steps(path) for path in paths])
    return [(source.line, source.column)] * len(paths) if found is None else found


def _found(text: bytes, before: int, line: int, paths: Sequence[tuple[Step, ...]]) -> list[Place] | None:
    """The places in a document that begins after so many lines, of fields of the object in a line of the file."""
    try:
        places = _places(text)
        root = places.object(line - before)
        found = None if root is None else [places.at((*root, *path)) for path in paths]
    except NotPlainError:
        found = _exactly(text, line - before, paths)
    return found and [(here + before, column) for here, column in found]


def _exactly(text: bytes, line: int, paths: Sequence[tuple[Step, ...]]) -> list[Place] | None:
    for marks in _positions(text):
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


def _changed(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@lru_cache(maxsize=2)
def _documents(file: str, changed: int, text: bytes | None) -> tuple[tuple[int, bytes], ...]:  # noqa: ARG001
    """The documents of a file, each with the line that it begins in. `changed` makes an edited file another one."""
    data = _read(file) if text is None else text
    begins = [0, *(match.end() for match in _SEPARATOR.finditer(data))]
    documents, line = [], 1
    for begin, end in pairwise((*begins, len(data))):
        documents.append((line, data[begin:end].removesuffix(b"---")))
        line += data.count(b"\n", begin, end)
    return tuple(documents)


def _read(file: str) -> bytes:
    content = read(file, named=True)
    return content.data if isinstance(content, Content) else b""


@lru_cache(maxsize=64)
def _places(text: bytes) -> Places:
    try:
        return Places(text.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise NotPlainError from None


@lru_cache(maxsize=64)
def _positions(text: bytes) -> tuple[Marks, ...]:
    documents, _ = parse(text, "")
    return tuple(each.marks for each in documents)
