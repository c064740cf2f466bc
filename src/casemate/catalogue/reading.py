"""Read a table's rows from a file: checked, with the place of each.

Every mistake is an InputError that names file and line, and is found on loading, not when a workload meets the row.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from casemate.catalogue import conditions
from casemate.catalogue.lines import Lined, Step, read
from casemate.catalogue.rows import Criterion, Escape, Fit, Leftover, Profile, Row, Rule, Runtime, Tested
from casemate.errors import InputError
from casemate.model.assessment import Outcome
from casemate.model.boundary import Boundary

TABLES: Final[Mapping[str, type[Row]]] = {
    "runtimes": Runtime,
    "criteria": Criterion,
    "profiles": Profile,
    "fits": Fit,
    "escapes": Escape,
    "hardening": Rule,
    "leftovers": Leftover,
}
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `(.*)`")
_SHORTHANDS: Final = {"stopped": "answer", "under": "outcome"}


@dataclass(frozen=True)
class Found:
    """A row, the table that it belongs to, and `file:line`."""

    table: str
    row: Row
    where: str


@cache
def shipped(table: str) -> tuple[Found, ...]:
    """The rows of a table that casemate ships."""
    data = resources.files(__package__).joinpath(f"{table}.yaml").read_bytes()
    return tuple(_rows(read(data, f"{table}.yaml"), table, ()))


@cache
def tests() -> tuple[Tested, ...]:
    """What real runs showed of fits (`make compat` writes it)."""
    document = read(resources.files(__package__).joinpath("tested.yaml").read_bytes(), "tested.yaml")
    rows = document.value if isinstance(document.value, list) else []
    return msgspec.convert([_cell(row, "outcome", ()) for row in rows], tuple[Tested, ...])


def of_user(path: Path) -> Iterator[Found]:
    """The rows of a user's own file, a mapping from tables to rows."""
    try:
        data = path.read_bytes()
    except OSError as error:
        fix = "name a file of your own rows: casemate catalogue show gives some to begin with"
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), fix=fix) from None
    document = read(data, str(path))
    if not isinstance(document.value, dict):
        tables = ", ".join(TABLES)
        raise InputError("a catalogue is a mapping from tables to rows", where=document.where(), fix=f"use {tables}")
    for table in document.value:
        if table not in TABLES:
            raise InputError(f"no table is named `{table}`", where=document.where((table,)), fix=_near(table, TABLES))
        yield from _rows(document, table, (table,))


def _rows(document: Lined, table: str, path: tuple[Step, ...]) -> Iterator[Found]:
    rows = document.value[table] if path and isinstance(document.value, dict) else document.value
    if not isinstance(rows, list):
        raise InputError("a table is a list of rows", where=document.where(path))
    seen: set[str] = set()
    for index, value in enumerate(rows):
        here = (*path, index)
        row = _row(value, table, document, here)
        if row.id in seen:
            raise InputError(f"`{row.id}` stands twice in this file", where=document.where((*here, "id")))
        seen.add(row.id)
        yield Found(table, row, document.where(here))


def _row(value: object, table: str, document: Lined, path: tuple[Step, ...]) -> Row:
    if not isinstance(value, dict):
        raise InputError("a row is a mapping", where=document.where(path))
    name = str(value.get("id", f"row {path[-1]}"))
    try:
        return _checked(msgspec.convert(_normal(value), TABLES[table]))
    except conditions.ConditionError as error:
        where = document.where((*path, *error.path))
        raise InputError(f"{table}, {name}: {error}", where=where, fix=error.fix) from None
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at ")
        field = _UNKNOWN_FIELD.search(what)
        steps = (*path, *_steps(at), *((field[1],) if field else ()))
        fix = _near(field[1], TABLES[table].__struct_fields__) if field and not at else ""
        raise InputError(f"{table}, {name}: {what}", where=document.where(steps), fix=fix) from None
    except _RowError as error:
        where = document.where((*path, error.key))
        raise InputError(f"{table}, {name}: {error}", where=where, fix=error.fix) from None


class _RowError(ValueError):
    def __init__(self, what: str, key: str, fix: str = "") -> None:
        super().__init__(what)
        self.key = key
        self.fix = fix


def _normal(value: dict[str, object]) -> dict[str, object]:
    """A row's shorthands written out: conditions, boundaries, and cells that are one word."""
    row = dict(value)
    if "when" in row:
        row["when"] = conditions.read(row["when"], ("when",))
    for key in ("boundary", "force"):
        if row.get(key) is not None:
            row[key] = _boundary(str(row[key]), key)
    for key, field in _SHORTHANDS.items():
        cells = row.get(key)
        if isinstance(cells, dict):
            row[key] = {name: _cell(cell, field, (key, name)) for name, cell in cells.items()}
    return row


def _cell(value: object, field: str, path: tuple[str, ...]) -> object:
    """A cell, which may be one word. Its outcome may be called `differs`, its `unless` is a condition."""
    cell = {field: value} if isinstance(value, str) else value
    if not isinstance(cell, dict):
        return cell
    if cell.get("outcome") == "differs":
        cell = {**cell, "outcome": Outcome.DIFFERS}
    if "unless" in cell:
        cell = {**cell, "unless": conditions.read(cell["unless"], (*path, "unless"))}
    return cell


def _boundary(name: str, key: str) -> Boundary:
    try:
        return Boundary.parse(name)
    except KeyError:
        names = [str(each) for each in Boundary if each is not Boundary.UNKNOWN]
        raise _RowError(f"`{name}` is no boundary", key, f"use one of {', '.join(names)}") from None


def _checked(row: Row) -> Row:
    """What types cannot say."""
    if not _ID.fullmatch(row.id):
        raise _RowError("an id is letters, digits, dots and dashes", "id")
    if not row.title.strip():
        raise _RowError("a row needs a title", "title")
    if not row.source.strip():
        raise _RowError("a fact needs a source", "source", "name a document, an issue, or `own judgement`")
    if isinstance(row, Criterion) and not -100 <= row.points <= 100:
        raise _RowError("points are from -100 to 100", "points")
    if isinstance(row, Profile) and any(each.predicate == "profile" for each in conditions.asked(row.when)):
        raise _RowError("a profile cannot ask for profiles", "when")
    return row


def _steps(path: str) -> Iterator[Step]:
    """The steps of a path as msgspec prints it: `$.under[...].outcome`. What it hides ends the path."""
    for name, index in re.findall(r"\.([A-Za-z_-]+)|\[(\d+|\.\.\.)\]", path.strip("`")):
        if index == "...":
            return
        yield int(index) if index else name


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(known)}"
