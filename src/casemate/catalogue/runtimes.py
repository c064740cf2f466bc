"""Runtimes by name: which boundary a handler or a class stands for, as far as its name tells.

1. The most specific pattern that fits a name wins (the longest, without its stars): `kata-qemu-snp` is confidential.
2. A name that no row knows is of unknown boundary, never of a strong one.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

import msgspec
import yaml

from casemate.model.boundary import Boundary

Certainty: TypeAlias = Literal["measured", "source", "documented"]
_Names: TypeAlias = Literal["classes", "handlers"]


class Runtime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row: a runtime, the names that it goes by, and the boundary that it draws, with where that is known from."""

    id: str
    classes: tuple[str, ...]
    handlers: tuple[str, ...]
    boundary: Boundary
    source: str
    date: datetime.date
    certainty: Certainty


@dataclass(frozen=True)
class Catalogue:
    """All rows."""

    runtimes: tuple[Runtime, ...]

    def boundary_of_handler(self, name: str) -> Boundary:
        """What a handler of that name draws; `UNKNOWN` when no row knows it."""
        found = self.of_handler(name)
        return found.boundary if found else Boundary.UNKNOWN

    def boundary_of_class(self, name: str) -> Boundary:
        """What a RuntimeClass of that name declares; `UNKNOWN` when no row knows it."""
        found = _best(self.runtimes, "classes", name)
        return found.boundary if found else Boundary.UNKNOWN

    def class_names(self, handler: str) -> tuple[str, ...]:
        """Names under which Pods may ask for the handler without a RuntimeClass document (`runsc`: gvisor, runsc)."""
        found = self.of_handler(handler)
        if found is None or any("*" in name for name in found.classes):
            return (handler,)
        return found.classes

    def of_handler(self, name: str) -> Runtime | None:
        """The row of the runtime that a handler of that name starts."""
        return _best(self.runtimes, "handlers", name)


@cache
def load() -> Catalogue:
    """The catalogue that casemate ships."""
    text = resources.files(__package__).joinpath("runtimes.yaml").read_text(encoding="utf-8")
    rows = msgspec.convert(yaml.safe_load(text), list[dict[str, object]])
    named = [{**row, "boundary": int(Boundary.parse(str(row["boundary"])))} for row in rows]
    return Catalogue(msgspec.convert(named, tuple[Runtime, ...]))


def _best(runtimes: Sequence[Runtime], names: _Names, name: str) -> Runtime | None:
    fitting = [
        (len(pattern.replace("*", "")), row)
        for row in runtimes
        for pattern in (row.classes if names == "classes" else row.handlers)
        if fnmatchcase(name, pattern)
    ]
    return max(fitting, key=lambda found: found[0])[1] if fitting else None
