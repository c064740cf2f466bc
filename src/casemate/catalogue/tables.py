"""The catalogue: all tables as one object.

1. Casemate ships one file per table. A user's file is a mapping from tables' names to rows; a row of an id that is
   there already takes its place, whole; another is added. Later files win.
2. What a real run showed of a fit (tested.yaml) takes the place of what documents say of it.
3. An id belongs to one table only, so that `explain ID` and `catalogue show ID` mean one thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from casemate.catalogue.reading import TABLES, Found, of_user, shipped, tests
from casemate.catalogue.rows import Component, Criterion, Escape, Fit, Leftover, Profile, Row, Rule, Runtime
from casemate.catalogue.runtimes import Runtimes
from casemate.catalogue.versions import below, is_fixed
from casemate.errors import InputError

_R = TypeVar("_R", bound=Row)


@dataclass(frozen=True)
class Catalogue:
    """All rows of all tables, in the order of their files."""

    runtimes: Runtimes
    criteria: tuple[Criterion, ...]
    profiles: tuple[Profile, ...]
    fits: tuple[Fit, ...]
    escapes: tuple[Escape, ...]
    hardening: tuple[Rule, ...]
    leftovers: tuple[Leftover, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Everything that may be a finding: each has a page in the docs."""
        return (*self.hardening, *self.leftovers)

    def tables(self) -> Mapping[str, tuple[Row, ...]]:
        """Every table's rows by its name."""
        return {
            "runtimes": self.runtimes.runtimes,
            "criteria": self.criteria,
            "profiles": self.profiles,
            "fits": self.fits,
            "escapes": self.escapes,
            "hardening": self.hardening,
            "leftovers": self.leftovers,
        }

    def row(self, row_id: str) -> Row | None:
        """The row of an id, in whichever table; upper and lower case are the same."""
        rows = (row for table in self.tables().values() for row in table)
        return next((row for row in rows if row.id.lower() == row_id.lower()), None)

    def known_bad(self, component: Component, version: str) -> tuple[Escape, ...]:
        """Escapes that a version of a program has no fix for. A version that cannot be read has none.

        Nor has a kernel: distributions fix theirs without a new version.
        """
        if component == "kernel":
            return ()
        return tuple(row for row in self.escapes if _lacks_fix(row, component, version))


def load(extra: Sequence[Path] = ()) -> Catalogue:
    """The catalogue that casemate ships, with the rows of users' own files. Raises InputError with `file:line`."""
    return _assemble([*_own_rows(), *(row for path in extra for row in of_user(path))]) if extra else _own()


def _lacks_fix(row: Escape, component: Component, version: str) -> bool:
    if component not in row.fixed:
        return False
    if component in row.introduced and below(version, row.introduced[component]):
        return False
    return is_fixed(version, row.fixed[component]) is False


@cache
def _own() -> Catalogue:
    return _assemble(_own_rows())


def _own_rows() -> list[Found]:
    return [_as_seen(found) for table in TABLES for found in shipped(table)]


def _as_seen(found: Found) -> Found:
    """A row of ours with what real runs showed of it. A user's row of that id is the user's word."""
    row = found.row
    for test in tests() if isinstance(row, Fit) else ():
        row = row.with_test(test) if isinstance(row, Fit) and test.fit == row.id else row
    return replace(found, row=row)


def _assemble(found: Iterable[Found]) -> Catalogue:
    tables: dict[str, dict[str, Row]] = {table: {} for table in TABLES}
    owners: dict[str, str] = {}
    for each in found:
        owner = owners.setdefault(each.row.id.lower(), each.table)
        if owner != each.table:
            raise InputError(f"`{each.row.id}` is an id of table {owner}", where=each.where, fix="use another id")
        tables[each.table][each.row.id] = each.row
    return Catalogue(
        runtimes=Runtimes(_of(Runtime, tables["runtimes"])),
        criteria=_of(Criterion, tables["criteria"]),
        profiles=_of(Profile, tables["profiles"]),
        fits=_of(Fit, tables["fits"]),
        escapes=_of(Escape, tables["escapes"]),
        hardening=_of(Rule, tables["hardening"]),
        leftovers=_of(Leftover, tables["leftovers"]),
    )


def _of(kind: type[_R], rows: Mapping[str, Row]) -> tuple[_R, ...]:
    return tuple(row for row in rows.values() if isinstance(row, kind))
