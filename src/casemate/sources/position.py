"""Find the line of a field when somebody asks: positions cost more than all the rest of reading.

1. The document that a workload came from is read again by the exact parser, which keeps the position of each value.
2. Of a list, it is the item that begins in the workload's line.
3. What cannot be read again keeps the position of its document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from casemate.model.workload import Source
from casemate.sources.fast_files import Content, read
from casemate.sources.marks import Marks, steps
from casemate.sources.parse import parse

_SEPARATOR = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)


def locate(source: Source, path: str, texts: Mapping[str, bytes] | None = None) -> Source:
    """Where the field stands, or the nearest one around it. `texts` holds what cannot be read twice, by file."""
    if not source.file or not source.line:
        return source
    documents = _documents(source.file, _changed(source.file), (texts or {}).get(source.file))
    index = bisect_right(documents, source.line, key=lambda each: each[0]) - 1
    if index < 0:
        return source
    begin, text = documents[index]
    for marks in _positions(text):
        found = _object(marks, source.line - begin + 1)
        if found:
            here = found.at(steps(path))
            return Source(file=source.file, line=here.line + begin - 1, column=here.column, uid=source.uid)
    return source


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
        documents.append((line, data[begin:end]))
        line += data.count(b"\n", begin, end)
    return tuple(documents)


def _read(file: str) -> bytes:
    content = read(file, named=True)
    return content.data if isinstance(content, Content) else b""


@lru_cache(maxsize=64)
def _positions(text: bytes) -> tuple[Marks, ...]:
    documents, _ = parse(text.removesuffix(b"---"), "")
    return tuple(each.marks for each in documents)
