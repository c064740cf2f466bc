"""Load manifests from files, folders and standard input.

1. `-` is standard input. A folder stands for all its `.yaml`, `.yml` and `.json` files, those in its subfolders
   too, in order of name.
2. Symbolic links to files are followed, links to folders inside a folder are not: a loop cannot hold the search up.
3. Only regular files are read, and pipes that the shell made (`/dev/fd/N`): opening any other FIFO or device might
   never end.
4. All mistakes of all inputs are raised together.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from casemate.sources.decode import Raw, decode, objects
from casemate.sources.document import Document
from casemate.sources.parse import MAX_BYTES, parse
from casemate.sources.problems import Problem, printable, raise_for

SUFFIXES = frozenset((".yaml", ".yml", ".json"))

_PIPES = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


def load(inputs: Sequence[str], stdin: BinaryIO) -> tuple[Document, ...]:
    """All objects of the inputs, in order. Each input is a file, a folder or `-`.

    Raises `InputError` that lists every mistake with its `file:line:column`.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for name, content in _contents(inputs, stdin):
        for found in [content] if isinstance(content, Problem) else _read(content, printable(name)):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                documents.append(found)
    raise_for(problems)
    if not documents:
        raise_for([Problem(", ".join(inputs) or "input", "no Kubernetes objects in it", "name a file that has some")])
    return tuple(documents)


def _read(data: bytes, file: str) -> Iterator[Document | Problem]:
    parsed, problems = parse(data, file)
    yield from problems
    for document in parsed:
        for raw in objects(document.value, document.marks, file):
            if isinstance(raw, Problem):
                yield raw
            else:
                yield from _decoded(raw)


def _decoded(raw: Raw) -> Iterator[Document | Problem]:
    found = decode(raw)
    if isinstance(found, list):
        yield from found
    else:
        yield Document(found, raw.file, raw.marks.line, raw.marks)


def _contents(inputs: Sequence[str], stdin: BinaryIO) -> Iterator[tuple[str, bytes | Problem]]:
    for name in inputs:
        if name == "-":
            yield "<stdin>", stdin.read(MAX_BYTES + 1)
        elif _is_folder(name):
            yield from _folder(name)
        else:
            yield name, _file(name)


def _folder(name: str) -> Iterator[tuple[str, bytes | Problem]]:
    unreadable: list[OSError] = []
    found = 0
    for folder, below, files in os.walk(name, onerror=unreadable.append):
        below.sort()
        for each in sorted(files):
            if Path(each).suffix in SUFFIXES:
                found += 1
                path = str(Path(folder, each))
                yield path, _file(path)
    for error in unreadable:
        yield name, _unreadable(str(error.filename), error)
    if not found and not unreadable:
        yield name, Problem(name, "no .yaml, .yml or .json file in this folder", "name a folder that has manifests")


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _file(name: str) -> bytes | Problem:
    try:
        mode = Path(name).stat().st_mode
        if not stat.S_ISREG(mode) and not (stat.S_ISFIFO(mode) and name.startswith(_PIPES)):
            return Problem(name, f"is {_file_type(mode)}, not a file", "name a file, a folder, or - for standard input")
        with Path(name).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        return _unreadable(name, error)


def _unreadable(name: str, error: OSError | ValueError) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem(name, "no such file or folder", "check the path")
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Problem(name, f"cannot read: {reason.lower()}", "check the path and its permissions")


def _file_type(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a folder" if stat.S_ISDIR(mode) else "a device"
