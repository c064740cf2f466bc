"""Turn plain values into structs leniently: an assessment says what it can of whatever it is given.

1. A field that the struct lacks is dropped and noted: the API server would drop it too, or refuse the object.
2. Null is unset. A required field that is missing is empty, as in Kubernetes' own types.
3. A value of the wrong type is a mistake that is noted. Numbers and booleans are taken for the text that they are; all
   else is dropped. Who decides by such a value must look at the mistakes first.

msgspec decodes what is right; only what it refuses is walked, by functions made once per struct.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import inspect

from casemate.sources.marks import Path, shown
from casemate.sources.problems import ENOUGH

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Way: TypeAlias = "tuple[_Way, str | int] | None"


@dataclass(slots=True)
class _Notes:
    inexact: bool = False
    unknown: list[str] = field(default_factory=list)
    wrong: list[tuple[Path, str]] = field(default_factory=list)

    def mistake(self, way: _Way, expected: str, found: object) -> object:
        if len(self.wrong) < ENOUGH:
            self.wrong.append((_steps(way), f"expected {expected}, found {_named(found)}"))
        return _DROP


class Decoded(msgspec.Struct, Generic[_Struct], frozen=True):
    """A struct, the paths of fields that it lacks, and the mistakes in the others.

    `inexact` tells that a key was no text, so that only the exact parser knows what it is.
    """

    struct: _Struct
    unknown: tuple[str, ...] = ()
    wrong: tuple[tuple[Path, str], ...] = ()
    inexact: bool = False


def decode(value: object, struct: type[_Struct]) -> Decoded[_Struct]:
    """The value as that struct, whatever it is."""
    try:
        return Decoded(msgspec.convert(value, struct))
    except (msgspec.ValidationError, RecursionError):
        pass
    notes = _Notes()
    clean = _cleaner(struct)(value, None, notes)
    made = msgspec.convert({} if clean is _DROP else clean, struct)
    return Decoded(made, tuple(notes.unknown), tuple(notes.wrong), notes.inexact)


def _steps(way: _Way) -> Path:
    steps: list[str | int] = []
    while way:
        way, step = way
        steps.append(step)
    return tuple(reversed(steps))


_DROP: Any = object()
_Cleaner: TypeAlias = Callable[[object, _Way, _Notes], Any]


@cache
def _cleaner(struct: type) -> _Cleaner:
    schema = inspect.type_info(struct)
    assert isinstance(schema, inspect.StructType)
    return _struct(schema)


def _made(schema: inspect.Type) -> _Cleaner:
    match schema:
        case inspect.UnionType():
            some = [each for each in schema.types if not isinstance(each, inspect.NoneType)]
            return _made(some[0]) if len(some) == 1 else _quantity
        case inspect.StructType():
            return _cleaner(schema.cls)
        case inspect.VarTupleType():
            return _items(_made(schema.item_type))
        case inspect.DictType():
            return _map(_made(schema.value_type))
        case inspect.AnyType() | inspect.CustomType():
            return lambda value, _way, _notes: value
        case _:
            return _LEAVES[type(schema)]


def _struct(schema: inspect.StructType) -> _Cleaner:
    fields = {each.encode_name: _made(each.type) for each in schema.fields}
    required = [each.encode_name for each in schema.fields if each.required]
    empty = {each.encode_name: _empty(each.type) for each in schema.fields if each.required}

    def clean(value: object, way: _Way, notes: _Notes) -> Any:
        if not isinstance(value, dict):
            return notes.mistake(way, "a mapping", value)
        kept: dict[str, Any] = {}
        for key, each in value.items():
            if each is None:
                continue
            cleaner = fields.get(key) if isinstance(key, str) else None
            if cleaner is None:
                notes.inexact = notes.inexact or not isinstance(key, str)
                if len(notes.unknown) < ENOUGH:
                    notes.unknown.append(shown((*_steps(way), str(key))))
                continue
            inner = cleaner(each, (way, key), notes)
            if inner is not _DROP:
                kept[key] = inner
        for key in required:
            if key not in kept:
                kept[key] = empty[key]
        return kept

    return clean


def _empty(schema: inspect.Type) -> Any:
    """What Go's decoder leaves in a field that is not there."""
    match schema:
        case inspect.StructType():
            return {each.encode_name: _empty(each.type) for each in schema.fields if each.required}
        case inspect.VarTupleType():
            return ()
        case inspect.DictType():
            return {}
        case inspect.StrType():
            return ""
        case inspect.BoolType():
            return False
        case inspect.UnionType():
            return _empty(schema.types[0])
        case _:
            return 0


def _items(item: _Cleaner) -> _Cleaner:
    def clean(value: object, way: _Way, notes: _Notes) -> Any:
        if not isinstance(value, list | tuple):
            return notes.mistake(way, "a list", value)
        kept = (item("" if each is None and item is _text else each, (way, i), notes) for i, each in enumerate(value))
        return [each for each in kept if each is not _DROP]

    return clean


def _map(item: _Cleaner) -> _Cleaner:
    def clean(value: object, way: _Way, notes: _Notes) -> Any:
        if not isinstance(value, dict):
            return notes.mistake(way, "a mapping", value)
        kept: dict[str, Any] = {}
        for key, each in value.items():
            name = key if isinstance(key, str) else _json(key)
            notes.inexact = notes.inexact or name is not key
            inner = ("" if item is _text else _DROP) if each is None else item(each, (way, name), notes)
            if inner is not _DROP:
                kept[name] = inner
        return kept

    return clean


def _text(value: object, way: _Way, notes: _Notes) -> Any:
    if isinstance(value, str):
        return value
    notes.mistake(way, "a string", value)
    return _json(value) if isinstance(value, int | float) else _DROP


def _boolean(value: object, way: _Way, notes: _Notes) -> Any:
    if isinstance(value, bool):
        return value
    return notes.mistake(way, "true or false", value)


def _integer(value: object, way: _Way, notes: _Notes) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(1 << 63) <= value < 1 << 63 else notes.mistake(way, "an integer", value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 63:
        return int(value)
    return notes.mistake(way, "an integer", value)


def _quantity(value: object, way: _Way, notes: _Notes) -> Any:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1 << 63 else _json(value)
    return notes.mistake(way, "a number or a string", value)


def _number(value: object, way: _Way, notes: _Notes) -> Any:
    return value if isinstance(value, int | float) else notes.mistake(way, "a number", value)


_LEAVES: dict[type[inspect.Type], _Cleaner] = {
    inspect.StrType: _text,
    inspect.BoolType: _boolean,
    inspect.IntType: _integer,
    inspect.FloatType: _number,
}


def _json(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _named(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return _json(value)
        case str():
            return f'the string "{value if len(value) <= 40 else value[:40] + "…"}"'
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "a value with a tag"
