"""The bytes of every input of an assessment: files, folders without what Git ignores, standard input.

1. `-` is standard input. A folder stands for its `.yaml`, `.yml` and `.json` files (`casemate.sources.gitignore`).
2. Only regular files are read, and pipes that the shell made: opening another FIFO or a device might never end.
3. What cannot be read inside a folder is left out (`Unreached`); a named file that cannot be read is a mistake.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from casemate.sources.fast import MAX_FILE
from casemate.sources.files import SUFFIXES
from casemate.sources.gitignore import walk
from casemate.sources.problems import Problem

STDIN = "<stdin>"
_PIPES = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


class Content(msgspec.Struct, frozen=True):
    """A file's bytes. `named` tells that a person named this very file; `kept` that it cannot be read twice."""

    file: str
    data: bytes
    named: bool
    kept: bool = False


class Unreached(Problem):
    """A file or folder inside a named one that cannot be read: the rest still counts."""


def contents(inputs: Sequence[str], stdin: BinaryIO) -> Iterator[Content | Problem]:
    """The inputs in order, folders in order of name."""
    for name in inputs:
        if name == "-":
            yield Content(STDIN, stdin.read(MAX_FILE + 1), named=True, kept=True)
        elif _is_folder(name):
            yield from _folder(name)
        else:
            yield read(name, named=True)


def _folder(name: str) -> Iterator[Content | Problem]:
    found = False
    for each in walk(name, SUFFIXES):
        found = True
        content = each if isinstance(each, Problem) else read(each, named=False)
        if isinstance(content, Problem):
            yield Unreached(content.where, content.what, content.fix)
        else:
            yield content
    if not found:
        yield Problem(name, "no .yaml, .yml or .json file in this folder", "name a folder that has manifests")


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def read(name: str, *, named: bool) -> Content | Problem:
    """One file."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _open(name, descriptor, named=named)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return Problem(name, "no such file or folder", "check the path")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return Problem(name, f"cannot read: {reason.lower()}", "check the path and its permissions")


def _open(name: str, descriptor: int, *, named: bool) -> Content | Problem:
    status = os.fstat(descriptor)
    if stat.S_ISFIFO(status.st_mode) and name.startswith(_PIPES):
        os.set_blocking(descriptor, True)
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return Content(name, stream.read(MAX_FILE + 1), named=named, kept=True)
    if not stat.S_ISREG(status.st_mode):
        return Problem(name, "is no regular file", "name a file, a folder, or - for standard input")
    most = min(status.st_size, MAX_FILE) + 1
    data = os.read(descriptor, most)
    while len(data) not in (status.st_size, most) and (more := os.read(descriptor, most - len(data))):
        data += more
    return Content(name, data, named=named)
