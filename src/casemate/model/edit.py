"""Changes to an object of the Kubernetes API, one field each.

1. A path leads from the object's root by keys and indexes. The index of a list may be text, as `[0]` in a shown path.
2. Setting a field makes the mappings on the way to it. Removing a field that is not there changes nothing.
3. So applying the same edits again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from casemate.model.workload import Workload

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value as JSON has it."""

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """Give the field at `path` a value, for the reason `why`."""

    path: Path
    value: Json
    why: str = ""


@dataclass(frozen=True, slots=True)
class Remove:
    """Take the field at `path` away, for the reason `why`."""

    path: Path
    why: str = ""


Edit: TypeAlias = Set | Remove


class NoSuchFieldError(LookupError):
    """The object has no list item at a path, or something else than a mapping or list on the way to it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What behaves differently after a fix, and so needs consent: the row or part that says so, and what it says."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What to edit in a workload's object so that its gap closes.

    `closes` is false when the edits only come nearer. Without edits, `refusal` says why there are none; it is empty
    when there is nothing to do. `differs` is what was consented to, or, with a refusal, what wants consent.
    """

    workload: Workload
    edits: tuple[Edit, ...] = ()
    closes: bool = False
    differs: tuple[Difference, ...] = ()
    refusal: str = ""


def applied(value: Json, edits: Iterable[Edit]) -> Json:
    """A copy of the value with the edits made, in order. Raises NoSuchFieldError."""
    for edit in edits:
        value = _applied(value, edit.path, edit)
    return value


def _applied(value: Json, path: Path, edit: Edit) -> Json:
    if not path:
        return edit.value if isinstance(edit, Set) else None
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        index = int(step) if str(step).isdecimal() else len(value)
        if index >= len(value):
            raise NoSuchFieldError(f"no item [{step}]")
        return [*value[:index], _applied(value[index], rest, edit), *value[index + 1 :]]
    if value is not None and not isinstance(value, dict):
        raise NoSuchFieldError(f"{value!r} is no mapping with `{step}`")
    return _in_mapping(value, str(step), rest, edit)


def _in_mapping(mapping: dict[str, Json] | None, key: str, rest: Path, edit: Edit) -> Json:
    inside = mapping or {}
    if isinstance(edit, Set):
        return {**inside, key: _applied(inside.get(key), rest, edit)}
    if inside.get(key) is None:
        return mapping
    if not rest:
        return {each: value for each, value in inside.items() if each != key}
    return {**inside, key: _applied(inside[key], rest, edit)}
