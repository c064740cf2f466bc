"""Apply fixes to the files that workloads come from.

1. Only the documents that a fix is about are touched, and in them only what it edits (`casemate.sources.edit_text`).
   All else keeps every byte.
2. The text must still say what was assessed: the workload's object is found by its line, kind and name, and its Pod
   specification is compared. A file that changed since is refused.
3. The result is read again, and must say exactly what the edits say. What cannot be edited so is refused, never
   written wrongly.
4. A file is replaced as a whole or not at all, and only if it still holds the text that was edited. It keeps its mode,
   its owner and the symbolic links to it.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

import yaml

from casemate.errors import InputError, RuntimeFault
from casemate.model.edit import Fix, Json, NoSuchFieldError, applied
from casemate.model.kube.pod import PodSpec
from casemate.model.workload import Workload
from casemate.sources.edit_nodes import nodes
from casemate.sources.edit_text import rewritten, same
from casemate.sources.fast import is_list
from casemate.sources.fast_decode import decode
from casemate.sources.marks import Marks, steps
from casemate.sources.parse import Value, parse

_SEPARATOR: Final = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_AGAIN: Final = "run the assessment again"


_Place: TypeAlias = tuple[int, ...]
"""Which document, and which item of its list, of the list in that, and so on."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An object in a part of the text, and where it stands there."""

    place: _Place
    line: int
    value: dict[str, Value]
    kind: str


def edited(data: bytes, file: str, fixes: Sequence[Fix]) -> bytes:
    """The file's text with the fixes made. Raises InputError where that cannot be."""
    text = data.decode("utf-8-sig", "replace")
    mark = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    if mark + text.encode() != data:
        raise InputError("not UTF-8", where=file, fix="save it as UTF-8")
    begins = [0, *(match.start() for match in _SEPARATOR.finditer(text) if match.start())]
    parts = [text[begin:end] for begin, end in pairwise((*begins, len(text)))]
    lines = [1]
    for part in parts:
        lines.append(lines[-1] + sum(1 for _ in _BREAK.finditer(part)))
    by_part: dict[int, list[Fix]] = {}
    for each in fixes:
        if each.edits:
            at = min(bisect_right(lines, max(each.workload.source.line, 1)), len(parts)) - 1
            by_part.setdefault(at, []).append(each)
    for index, wanted in by_part.items():
        parts[index] = _Part(parts[index], file, lines[index]).edited(wanted)
    return mark + "".join(parts).encode()


class _Part:
    """A stretch of a file: mostly one document with the `---` before it."""

    def __init__(self, text: str, file: str, begin: int) -> None:
        self._text = text
        self._file = file
        self._begin = begin
        documents, problems = parse(text.encode(), file)
        if problems:
            first = problems[0]
            raise InputError(first.what, where=first.where if begin == 1 else file, fix=first.fix)
        self._values = [each.value for each in documents]
        self._marks = [each.marks for each in documents]
        self._named: dict[tuple[Value, ...], list[_Found]] = {}
        for each in self._objects():
            self._named.setdefault(_identity(each), []).append(each)

    def edited(self, fixes: Sequence[Fix]) -> str:
        """The text with the fixes made."""
        wanted = self._wanted(fixes)
        try:
            text = self._rewritten(wanted)
        except (ValueError, yaml.YAMLError) as error:
            return self._refuse(fixes[0].workload, f"its text cannot be edited: {error}", "edit it by hand")
        self._verify(text, wanted, fixes[0].workload)
        return text

    def _wanted(self, fixes: Sequence[Fix]) -> list[Value]:
        """What the documents have to say."""
        objects: dict[_Place, Value] = {}
        for each in fixes:
            found = self._find(each.workload)
            try:
                objects[found.place] = applied(objects.get(found.place, found.value), each.edits)
            except NoSuchFieldError as error:
                self._refuse(each.workload, f"changed since it was assessed: {error}", _AGAIN)
        return [_with(value, (index,), objects) for index, value in enumerate(self._values)]

    def _rewritten(self, wanted: Sequence[Value]) -> str:
        roots = [root for root in nodes(self._text) if not (root.kind == "scalar" and root.text == "None")]
        if len(roots) != len(wanted):
            raise ValueError("its documents cannot be told apart")
        text = self._text
        for root, old, new in reversed(list(zip(roots, self._values, wanted, strict=True))):
            if not same(old, new):
                text = rewritten(text, root, old, new)
        return text

    def _verify(self, text: str, wanted: Sequence[Value], workload: Workload) -> None:
        documents, problems = parse(text.encode(), self._file)
        if problems or not same([each.value for each in documents], list(wanted)):
            self._refuse(workload, "its text shares values in a way that cannot be edited", "edit it by hand")

    def _refuse(self, workload: Workload, what: str, fix: str) -> NoReturn:
        line = workload.source.line
        raise InputError(f"{workload.title}: {what}", where=f"{self._file}:{line}" if line else self._file, fix=fix)

    def _find(self, workload: Workload) -> _Found:
        """The object of a workload (rule 2)."""
        named = self._named.get((workload.kind, workload.namespace, workload.name), [])
        here = [each for each in named if each.line == workload.source.line]
        likely = [each for each in here or named if _says(each.value, workload)]
        if not likely:
            self._refuse(workload, "changed since it was assessed", _AGAIN)
        if len(likely) > 1 and not all(same(each.value, likely[0].value) for each in likely):
            self._refuse(workload, "is there several times", "keep one of them")
        return likely[0]

    def _objects(self) -> Iterator[_Found]:
        for index, (value, marks) in enumerate(zip(self._values, self._marks, strict=True)):
            yield from self._below(value, marks, (index,), "")

    def _below(self, value: Value, marks: Marks, place: _Place, kind: str) -> Iterator[_Found]:
        """An object, or those of a list. Items of a typed list may leave out their kind."""
        if not isinstance(value, dict):
            return
        kind = str(value.get("kind") or kind)
        items, positions = value.get("items"), marks.at(("items",)).children
        if isinstance(items, list) and isinstance(positions, list) and is_list(kind):
            for index, (item, mark) in enumerate(zip(items, positions, strict=True)):
                yield from self._below(item, mark, (*place, index), kind.removesuffix("List"))
        else:
            yield _Found(place, self._line(marks), value, kind)

    def _line(self, marks: Marks) -> int:
        return marks.line + self._begin - 1


def _with(value: Value, place: _Place, objects: Mapping[_Place, Value]) -> Value:
    """The value with some of the objects in it replaced."""
    if place in objects:
        return objects[place]
    if isinstance(value, dict) and isinstance(items := value.get("items"), list) and is_list(value.get("kind")):
        return {**value, "items": [_with(item, (*place, index), objects) for index, item in enumerate(items)]}
    return value


def _identity(found: _Found) -> tuple[Value, ...]:
    """Kind, namespace and name."""
    own = found.value.get("metadata")
    metadata = own if isinstance(own, dict) else {}
    named = (found.kind, metadata.get("namespace") or "", metadata.get("name") or metadata.get("generateName") or "")
    return tuple(str(each) for each in named)


def _says(value: Json, workload: Workload) -> bool:
    """Whether the Pod specification is the one that was assessed."""
    for step in steps(workload.path):
        if isinstance(value, list):
            value = value[int(step)] if str(step).isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(str(step)) if isinstance(value, dict) else None
    return isinstance(value, dict) and decode(value, PodSpec).struct == workload.spec


def write(file: str, before: bytes, after: bytes) -> None:
    """Replace a file that holds `before` (rule 4). Raises InputError when it does not hold it any more."""
    path = Path(os.path.realpath(file))
    try:
        temporary = _beside(path, after)
        try:
            held = path.read_bytes() == before
            if held:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RuntimeFault(f"cannot be written: {(error.strerror or str(error)).lower()}", where=file) from None
    if not held:
        raise InputError("changed since it was assessed; nothing was written", where=file, fix=_AGAIN)


def _beside(path: Path, data: bytes) -> Path:
    """A file next to another, with its mode and owner, that is on the disk before it has the other's name."""
    state = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)
        os.fchmod(descriptor, stat.S_IMODE(state.st_mode))
        with suppress(PermissionError):
            os.fchown(descriptor, state.st_uid, state.st_gid)
    return Path(name)
