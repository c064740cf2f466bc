"""Turn plain values into Kubernetes objects, strictly, and say everything that is wrong with them.

1. `apiVersion` and `kind` choose the type; lists are taken apart into their items.
2. A field that the type lacks is an error that names the field nearest to it, as is a value of the wrong type.
3. Null means unset. In a map of strings it is the empty string, as in Kubernetes' own decoder.
4. All mistakes of a document are found, each with its position.

msgspec decodes correct documents; only those that it refuses are walked through for nulls and mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import msgspec
from msgspec import inspect

from casemate.model.inventory import KubeObject
from casemate.sources.kinds import KINDS, list_of, unknown_kind
from casemate.sources.marks import Marks, Path, shown
from casemate.sources.parse import Value
from casemate.sources.problems import ENOUGH, Problem, near_miss

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Raw:
    """One object as written: not yet decoded, lists taken apart."""

    value: dict[str, Value]
    marks: Marks
    file: str

    def problem(self, path: Path, what: str, fix: str = "") -> Problem:
        """A problem with the field at `path`, which is printed before `what`."""
        here = self.marks.at(path)
        place = f"{shown(path)}: " if path else ""
        return Problem(f"{self.file}:{here.line}:{here.column}", f"{place}{what}", fix)


def objects(value: Value, marks: Marks, file: str) -> Iterator[Raw | Problem]:
    """The objects of one document: itself, or the items of a list, which may hold lists."""
    pending = [(value, marks)]
    while pending:
        value, marks = pending.pop(0)
        if not isinstance(value, dict):
            fix = "a manifest begins with apiVersion and kind"
            yield Problem(f"{file}:{marks.line}:{marks.column}", f"expected an object, found {_found(value)}", fix)
            continue
        raw = Raw(value, marks, file)
        kind = value.get("kind")
        if not isinstance(kind, str) or kind in KINDS or not list_of(kind):
            yield raw
            continue
        yield from _list_problems(raw, kind)
        items = value.get("items")
        if isinstance(items, list):
            positions = marks.at(("items",)).children
            pairs = zip(items, positions if isinstance(positions, list) else [], strict=True)
            pending[:0] = [(_typed_item(item, kind), position) for item, position in pairs]


def decode(raw: Raw) -> KubeObject | list[Problem]:
    """The object, or all that is wrong with it."""
    found = _kind_of(raw)
    return found if isinstance(found, list) else convert(raw, found)


def convert(raw: Raw, struct: type[_Struct]) -> _Struct | list[Problem]:
    """The object as that struct, or all that is wrong with it."""
    try:
        return msgspec.convert(raw.value, type=struct)
    except msgspec.ValidationError:
        pass
    walk = _Walk(raw)
    clean: object = None
    with suppress(_EnoughError):
        clean = walk.check(raw.value, _schema(struct), ())
    return walk.problems or msgspec.convert(clean, type=struct)


def _typed_item(item: Value, list_kind: str) -> Value:
    """Items of a typed list (`PodList`) may leave out what the list says."""
    kind = list_kind.removesuffix("List")
    if not kind or not isinstance(item, dict):
        return item
    return {"apiVersion": KINDS[kind][0], "kind": kind} | item


def _list_problems(raw: Raw, kind: str) -> Iterator[Problem]:
    expected = list_of(kind)
    if raw.value.get("apiVersion") != expected:
        yield raw.problem(("apiVersion",), f"{kind} has another API version", f"write apiVersion: {expected}")
    items = raw.value.get("items")
    if items is not None and not isinstance(items, list):
        yield raw.problem(("items",), f"expected a list, found {_found(items)}", "write the objects as a list")
    for key in sorted(raw.value.keys() - _LIST_FIELDS):
        yield raw.problem((key,), "unknown field", near_miss(key, _LIST_FIELDS) or "remove it; objects go into items")


def _kind_of(raw: Raw) -> type[KubeObject] | list[Problem]:
    kind, version = raw.value.get("kind"), raw.value.get("apiVersion")
    missing = [
        raw.problem(
            (), f"{key} is missing" if value is None else f"{key}: expected a string, found {_found(value)}", fix
        )
        for key, value, fix in (
            ("apiVersion", version, "for a Pod: apiVersion: v1"),
            ("kind", kind, "such as kind: Pod"),
        )
        if not isinstance(value, str)
    ]
    if missing or not isinstance(kind, str):
        return missing
    if kind not in KINDS:
        return [raw.problem(("kind",), f'unknown kind "{kind}"', unknown_kind(kind))]
    expected, struct = KINDS[kind]
    if version != expected:
        what = f'{kind} has no API version "{version}"'
        return [raw.problem(("apiVersion",), what, f"write apiVersion: {expected}")]
    return struct


@cache
def _schema(struct: type) -> inspect.Type:
    return inspect.type_info(struct)


_NO_MAPPING = "write its fields as key: value, or remove it"


class _EnoughError(Exception):
    """There are so many mistakes that the rest need not be looked for."""


_LIST_FIELDS = frozenset(("apiVersion", "kind", "metadata", "items"))
_FEW = 12


class _Walk:
    """Walks a value beside its type: notes what does not fit and leaves nulls out."""

    def __init__(self, raw: Raw) -> None:
        self.problems: list[Problem] = []
        self._raw = raw

    def check(self, value: Value, schema: inspect.Type, path: Path) -> object:
        """The value without nulls, as far as it fits its type."""
        match schema:
            case inspect.UnionType():
                return self._union(value, schema, path)
            case inspect.StructType():
                return self._struct(value, schema, path)
            case inspect.VarTupleType():
                return self._items(value, schema, path)
            case inspect.DictType():
                return self._map(value, schema, path)
            case inspect.AnyType() | inspect.CustomType():
                return value
            case inspect.EnumType():
                return self._word(value, schema, path)
            case _:
                return self._leaf(value, (schema,), path)

    def _note(self, path: Path, what: str, fix: str = "") -> None:
        self.problems.append(self._raw.problem(path, what, fix))
        if len(self.problems) >= ENOUGH:
            raise _EnoughError

    def _union(self, value: Value, schema: inspect.UnionType, path: Path) -> object:
        some = tuple(each for each in schema.types if not isinstance(each, inspect.NoneType))
        if isinstance(value, dict):
            some = tuple(each for each in some if isinstance(each, inspect.StructType)) or some
        return self.check(value, some[0], path) if len(some) == 1 else self._leaf(value, some, path)

    def _struct(self, value: Value, schema: inspect.StructType, path: Path) -> object:
        if not isinstance(value, dict):
            self._note(path, f"expected a mapping, found {_found(value)}", _NO_MAPPING)
            return None
        fields = {each.encode_name: each for each in schema.fields}
        clean: dict[str, object] = {}
        for name, each in value.items():
            if name not in fields:
                self._note((*path, name), "unknown field", _nearest_field(name, schema))
            elif each is not None:
                clean[name] = self.check(each, fields[name].type, (*path, name))
        for name, declared in fields.items():
            if declared.required and value.get(name) is None:
                self._note(path, f"{name} is missing", f"add {name} to {shown(path) or 'the object'}")
        return clean

    def _items(self, value: Value, schema: inspect.VarTupleType, path: Path) -> object:
        if not isinstance(value, list):
            self._note(path, f"expected a list, found {_found(value)}", 'list items begin with "- "')
            return None
        return [self._item(each, schema.item_type, (*path, index)) for index, each in enumerate(value)]

    def _item(self, value: Value, schema: inspect.Type, path: Path) -> object:
        if value is None and isinstance(schema, inspect.StrType):
            return ""
        return self.check(value, schema, path)

    def _map(self, value: Value, schema: inspect.DictType, path: Path) -> object:
        if not isinstance(value, dict):
            self._note(path, f"expected a mapping, found {_found(value)}", _NO_MAPPING)
            return None
        kept = value if isinstance(schema.value_type, inspect.StrType) else _without_nulls(value)
        return {key: self._item(each, schema.value_type, (*path, key)) for key, each in kept.items()}

    def _word(self, value: Value, schema: inspect.EnumType, path: Path) -> object:
        words = [str(each.value) for each in schema.cls]
        if value not in words:
            fix = near_miss(str(value), words) or f"write one of {', '.join(words)}"
            self._note(path, f"no such word: {_found(value)}", fix)
        return value

    def _leaf(self, value: Value, schemas: tuple[inspect.Type, ...], path: Path) -> object:
        expected = [_LEAVES[type(schema)] for schema in schemas if type(schema) in _LEAVES]
        if not any(type(value) in types for types, _ in expected):
            names = " or ".join(dict.fromkeys(name for _, name in expected))
            self._note(path, f"expected {names}, found {_found(value)}", _quoting(value, names))
        return value


_LEAVES: dict[type[inspect.Type], tuple[tuple[type, ...], str]] = {
    inspect.StrType: ((str,), "a string"),
    inspect.IntType: ((int,), "an integer"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.BoolType: ((bool,), "true or false"),
}


def _without_nulls(value: dict[str, Value]) -> dict[str, Value]:
    return {key: each for key, each in value.items() if each is not None}


def _found(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the string "{value if len(value) <= 40 else value[:40] + "…"}"'
        case list():
            return "a list"
        case dict():
            return "a mapping"


def _quoting(value: Value, expected: str) -> str:
    if "a string" not in expected:
        return "remove the quotes" if isinstance(value, str) and _UNQUOTED.fullmatch(value) else f"write {expected}"
    if isinstance(value, bool):
        return "quote it: YAML reads y, yes, on, n, no and off as true and false"
    return "quote it" if isinstance(value, int | float) else f"write {expected}"


_UNQUOTED = re.compile("true|false|0|[1-9][0-9]{0,4}", re.IGNORECASE | re.ASCII)


def _nearest_field(name: str, schema: inspect.StructType) -> str:
    """Advice on an unknown field: a field of this struct that is written alike, or the same name one level below."""
    advice = near_miss(name, (each.encode_name for each in schema.fields))
    if advice:
        return advice
    for each in schema.fields:
        inner = _struct_in(each.type)
        if inner and name in (below.encode_name for below in inner.fields):
            return f"it belongs in {each.encode_name}"
    names = ", ".join(each.encode_name for each in schema.fields)
    return f"the fields here are {names}" if len(schema.fields) <= _FEW else "remove it"


def _struct_in(schema: inspect.Type) -> inspect.StructType | None:
    options = schema.types if isinstance(schema, inspect.UnionType) else (schema,)
    return next((each for each in options if isinstance(each, inspect.StructType)), None)
