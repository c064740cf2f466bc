"""Runtimes by name: which boundary a handler or a class stands for, as far as its name tells.

1. The most specific pattern that fits a name wins (the longest, without its stars): `kata-qemu-snp` is confidential.
2. A name that no row knows is of unknown boundary, never of a strong one. Patterns fit only what can be the name of an
   object: a look-alike letter fits none.
3. A managed variant that shares its name with others (GKE's `gvisor`) is told by the node selector of its RuntimeClass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Final, Literal, TypeAlias

from casemate.catalogue.reading import shipped
from casemate.catalogue.rows import Runtime
from casemate.model.boundary import Boundary

_NAME: Final = re.compile(r"[a-z0-9.-]+")
_Names: TypeAlias = Literal["classes", "handlers", "sounds"]


@dataclass(frozen=True)
class Runtimes:
    """All rows of the table of runtimes."""

    runtimes: tuple[Runtime, ...]

    def boundary_of_handler(self, name: str) -> Boundary:
        """What a handler of that name draws; `UNKNOWN` when no row knows it."""
        found = self.of_handler(name)
        return found.boundary if found else Boundary.UNKNOWN

    def boundary_of_class(self, name: str) -> Boundary:
        """What a RuntimeClass of that name declares; `UNKNOWN` when no row knows it."""
        found = self.of_class(name)
        return found.boundary if found else Boundary.UNKNOWN

    def promised_by_class(self, name: str) -> Boundary:
        """What people take a class of that name for: its boundary, or one that it only sounds like (`kata-prod`).

        A promise to hold a class to, never a reason to trust it.
        """
        row = _best(self.runtimes, "sounds", name, {}) if self.of_class(name) is None else None
        return row.boundary if row else self.boundary_of_class(name)

    def promised(self, class_name: str, handler: str, selector: Mapping[str, str] | None = None) -> Boundary:
        """What a class with that handler is held to: what people take its name for, else what its handler's name says.

        `selector` is the RuntimeClass's node selector; without a class the name is empty.
        """
        row = self.of_class(class_name, selector) or _best(self.runtimes, "sounds", class_name, {})
        return row.boundary if row else self.boundary_of_handler(handler)

    def class_names(self, handler: str) -> tuple[str, ...]:
        """Names under which Pods may ask for the handler without a RuntimeClass document (`runsc`: gvisor, runsc).

        Of a row that stands for many handlers, the classes that are called as other ones are theirs.
        """
        found = self.of_handler(handler)
        if found is None or any("*" in name for name in found.classes):
            return (handler,)
        many = [pattern for pattern in found.handlers if "*" in pattern]
        others = {name for name in found.classes if any(fnmatchcase(name, each) for each in many)} - {handler}
        return tuple(name for name in found.classes if name not in others) or (handler,)

    def of_handler(self, name: str, selector: Mapping[str, str] | None = None) -> Runtime | None:
        """The row of the runtime that a handler of that name starts. `selector` is the RuntimeClass's node selector."""
        return _best(self.runtimes, "handlers", name, selector or {})

    def of_class(self, name: str, selector: Mapping[str, str] | None = None) -> Runtime | None:
        """The row of the runtime that a RuntimeClass of that name declares."""
        return _best(self.runtimes, "classes", name, selector or {})

    def by_id(self, runtime_id: str) -> Runtime | None:
        """The row of that id."""
        return next((row for row in self.runtimes if row.id == runtime_id), None)


Catalogue: TypeAlias = Runtimes  # the engine's name for it


@cache
def load() -> Runtimes:
    """The runtimes that casemate ships, without the other tables."""
    return Runtimes(tuple(found.row for found in shipped("runtimes") if isinstance(found.row, Runtime)))


def _best(runtimes: Sequence[Runtime], names: _Names, name: str, selector: Mapping[str, str]) -> Runtime | None:
    fitting = [
        (bool(row.selectors), len(pattern.replace("*", "")), row)
        for row in runtimes
        if all(selector.get(key) == value for key, _, value in (each.partition("=") for each in row.selectors))
        for pattern in _patterns(row, names)
        if name == pattern or ("*" in pattern and _NAME.fullmatch(name) and fnmatchcase(name, pattern))
    ]
    return max(fitting, key=lambda found: found[:2])[2] if fitting else None


def _patterns(row: Runtime, names: _Names) -> tuple[str, ...]:
    match names:
        case "classes":
            return row.classes
        case "handlers":
            return row.handlers
        case "sounds":
            return row.sounds
