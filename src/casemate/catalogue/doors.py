"""Doors to the node: files of it that no boundary holds, once they are mounted (doors.yaml).

1. A path of the host gives access to another when it is the same, lies below it, or contains it: a mount of `/` gives
   all. `*` in the other stands for one name.
2. Spelling hides nothing: `.`, `..` and slashes are as the kernel walks them, `/var/run` is `/run`, and another
   process's root (`/proc/1/root`) is the node's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib import resources
from typing import Final, Literal

import msgspec

from casemate.catalogue.lines import read
from casemate.catalogue.rows import Row


class Door(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paths that open the node when they can be read, or written, or when they are mounts below a read-only one."""

    by: Literal["read", "write", "below"]
    paths: tuple[str, ...]
    gives: str

    def opens(self, path: str, *, writable: bool, deeply: bool) -> bool:
        """Whether a mount of that path (`normal_path`) is this door. `deeply`: what it says of writing holds below."""
        match self.by:
            case "read":
                return any(reaches(path, each) for each in self.paths)
            case "write":
                return writable and any(reaches(path, each) for each in self.paths)
            case "below":
                return not (writable or deeply) and any(contains(path, each) for each in self.paths)


@cache
def doors() -> Mapping[str, Door]:
    """All doors by id."""
    document = read(resources.files(__package__).joinpath("doors.yaml").read_bytes(), "doors.yaml")
    return {row.id: row for row in msgspec.convert(document.value, tuple[Door, ...])}


@lru_cache(maxsize=4096)
def opened(path: str, *, writable: bool, deeply: bool) -> tuple[str, ...]:
    """The ids of the doors that a mount of that path opens."""
    return tuple(row.id for row in doors().values() if row.opens(path, writable=writable, deeply=deeply))


def reaches(path: str, wanted: str) -> bool:
    """Whether a mount of `path` gives access to `wanted` (rule 1)."""
    return all(map(fnmatchcase, _names(path), _names(wanted)))


def contains(path: str, wanted: str) -> bool:
    """Whether `wanted` lies below `path`."""
    return len(_names(path)) < len(_names(wanted)) and reaches(path, wanted)


_ELSEWHERE: Final = re.compile(r"/proc/(?:\d+|self|thread-self)(?:/task/\d+)?/(?:root|cwd)(?=/|\Z)")


@lru_cache(maxsize=4096)
def normal_path(path: str) -> str:
    """A host path as the kernel walks it (rule 2)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    found = "/" + "/".join(parts)
    while elsewhere := _ELSEWHERE.match(found):
        found = found[elsewhere.end() :] or "/"
    if found == "/var/run" or found.startswith("/var/run/"):
        return found.removeprefix("/var")
    return found


@lru_cache(maxsize=8192)
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/")) if path.strip("/") else ()
