"""A row as a person would write it: what `catalogue show` prints can be edited and loaded as a file of one's own."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec
import yaml

from casemate.catalogue.conditions import AllOf, AnyOf, Is, Not, When
from casemate.catalogue.rows import Row
from casemate.model.assessment import Outcome
from casemate.model.boundary import Boundary

_FIRST: Final = ("id", "title")
_LAST: Final = ("source", "date", "certainty")


def as_data(row: Row) -> dict[str, object]:
    """The row's fields that say something, as plain values in the order in which rows are written."""
    fields = _fields(row)
    first: dict[str, object] = {key: fields.pop(key) for key in _FIRST}
    last: dict[str, object] = {key: fields.pop(key) for key in _LAST}
    return {**first, **fields, **last}


def as_yaml(row: Row) -> str:
    """The row as one item of a list in YAML."""
    return yaml.safe_dump([as_data(row)], sort_keys=False, allow_unicode=True, width=110)


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    result: dict[str, object] = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = () if field.default_factory is tuple else field.default
        if value != default and value not in ((), {}):
            result[field.name] = _plain(value)
    return result


def _plain(value: object) -> object:
    match value:
        case Is() | AllOf() | AnyOf() | Not():
            return _condition(value)
        case msgspec.Struct():
            return _fields(value)
        case Boundary():
            return str(value)
        case Outcome.DIFFERS:
            return "differs"
        case StrEnum():
            return value.value
        case datetime.date():
            return value.isoformat()
        case tuple():
            return [_plain(each) for each in value]
        case Mapping():
            return {str(key): _short(_plain(each)) for key, each in value.items()}
        case _:
            return value


def _short(cell: object) -> object:
    """A cell with nothing but its answer is one word."""
    if isinstance(cell, dict) and len(cell) == 1:
        ((key, value),) = cell.items()
        return value if key in ("answer", "outcome") else cell
    return cell


def _condition(when: When) -> object:
    match when:
        case Is(predicate=name, arguments=arguments):
            return {name: list(arguments)} if arguments else name
        case Not(of=inner):
            return {"not": _condition(inner)}
        case AllOf(of=parts):
            return {"all": [_condition(part) for part in parts]}
        case AnyOf(of=parts):
            return {"any": [_condition(part) for part in parts]}
