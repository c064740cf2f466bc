"""Read whole objects, as they would be sent to an API server: strictly, any kind, lists taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from casemate.sources.decode import Raw, objects
from casemate.sources.fast import is_list
from casemate.sources.fast_files import contents
from casemate.sources.parse import parse
from casemate.sources.problems import Problem, printable, raise_for


@dataclass(frozen=True, slots=True)
class FileObject:
    """An object and where it begins."""

    value: dict[str, object]
    where: str

    @property
    def title(self) -> str:
        """`Kind namespace/name`, as far as it says so."""
        metadata = self.value.get("metadata")
        own = metadata if isinstance(metadata, dict) else {}
        name = own.get("name") or own.get("generateName") or ""
        return f"{self.value.get('kind')} {own.get('namespace') or 'default'}/{name}"


def load(inputs: Sequence[str], stdin: BinaryIO) -> tuple[FileObject, ...]:
    """The objects of files, folders and `-`, in order. Raises `InputError` that lists every mistake."""
    found: list[FileObject] = []
    problems: list[Problem] = []
    for content in contents(inputs, stdin):
        if isinstance(content, Problem):
            problems.append(content)
            continue
        for each in _read(content.data, printable(content.file)):
            if isinstance(each, Problem):
                problems.append(each)
            else:
                found.append(each)
    if not found and not problems:
        problems.append(Problem(", ".join(inputs) or "input", "no objects in it", "name a file that has some"))
    raise_for(problems)
    return tuple(found)


def _read(data: bytes, file: str) -> Iterator[FileObject | Problem]:
    documents, problems = parse(data, file)
    yield from problems
    for document in documents:
        for raw in objects(document.value, document.marks, file):
            yield raw if isinstance(raw, Problem) else _object(raw)


def _object(raw: Raw) -> FileObject | Problem:
    kind, version = raw.value.get("kind"), raw.value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        return raw.problem((), "not a Kubernetes object", "an object begins with apiVersion and kind")
    if is_list(kind) and isinstance(raw.value.get("items"), list):
        return raw.problem(("kind",), f"{kind} cannot be taken apart", "write its items as documents of their own")
    return FileObject(dict(raw.value), f"{raw.file}:{raw.marks.line}:{raw.marks.column}")
