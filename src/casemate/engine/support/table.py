"""The table of fields, as data, and how a field finds its row."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

import msgspec
import yaml
from msgspec import inspect

from casemate.model.handler import Handler
from casemate.model.kube.pod import PodSpec
from casemate.model.support import Verdict

Family: TypeAlias = Literal["gvisor", "wasm", "kata"]
Certainty: TypeAlias = Literal["measured", "source", "documented", "inferred"]

_CONTAINERS, _INIT = "containers", "initContainers"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A verdict under one family of runtimes, or under a condition, or both."""

    verdict: Verdict
    note: str = ""
    runtime: Family | None = None
    when: str | None = None
    source: str = ""
    certainty: Certainty | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a field and of all below it that has no row of its own."""

    path: str
    verdict: Verdict
    note: str = ""
    security: bool = False
    cases: tuple[Case, ...] = ()


class Table:
    """All rows, by path; lists are `[]`."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = {row.path: row for row in rows}
        self._inner = {path[:end] for path in self.rows for end in _ends(path)}
        self._found: dict[str, Row | None] = {}

    def row(self, path: str) -> Row | None:
        """The row of a field: its own, or that of the nearest field around it."""
        if path not in self._found:
            own = _shared(path)
            around = (self.rows.get(own[:end]) for end in (len(own), *reversed(_ends(own))))
            self._found[path] = next(filter(None, around), None)
        return self._found[path]

    def has_row(self, path: str) -> bool:
        """Whether the field has a row of its own."""
        return _shared(path) in self.rows

    def has_rows_below(self, path: str) -> bool:
        """Whether fields inside this one have rows."""
        return _shared(path) in self._inner


def family(handler: Handler | None) -> Family | None:
    """The family of runtimes that a handler belongs to; None for runc and its like, and for no handler."""
    runtime = handler.runtime if handler else ""
    if runtime in ("gvisor", "runsc"):
        return "gvisor"
    if runtime.startswith("kata"):
        return "kata"
    return "wasm" if runtime in ("casemate-wasm", "wasm") else None


@cache
def load() -> Table:
    """The table that casemate ships."""
    text = resources.files(__package__).joinpath("fields.yaml").read_text(encoding="utf-8")
    return Table(msgspec.convert(yaml.load(text, Loader=yaml.CSafeLoader), tuple[Row, ...]))


@cache
def all_paths() -> tuple[str, ...]:
    """The path of every field of a PodSpec, at every depth, in the order of the API."""
    return tuple(_paths(inspect.type_info(PodSpec), ""))


def _paths(schema: inspect.Type, path: str) -> list[str]:
    match schema:
        case inspect.UnionType():
            return [each for option in schema.types for each in _paths(option, path)]
        case inspect.VarTupleType():
            return _paths(schema.item_type, f"{path}[]")
        case inspect.StructType():
            found = []
            for field in schema.fields:
                here = f"{path}.{field.encode_name}" if path else field.encode_name
                found += [here, *_paths(field.type, here)]
            return found
        case _:
            return []


def _shared(path: str) -> str:
    """Init containers have the rows of containers."""
    return f"{_CONTAINERS}{path.removeprefix(_INIT)}" if path.startswith(_INIT) else path


def _ends(path: str) -> list[int]:
    """Where the paths of the fields around this one end: `a[].b.c` has `a`, `a[]`, `a[].b`."""
    dots = [index for index, letter in enumerate(path) if letter == "."]
    brackets = [index for index in range(len(path)) if path.startswith("[]", index)]
    return sorted({*dots, *brackets, *(index + 2 for index in brackets if index + 2 < len(path))})
