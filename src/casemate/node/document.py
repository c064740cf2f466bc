"""Documents that others wrote (TOML, JSON, YAML) as nested tables.

What is not of the kind that is asked for is as if it were not there: nothing but the runtime itself checks its files.
"""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping, Sequence

from casemate.errors import InputError
from casemate.model.node import Toml


def parse(text: str, where: str) -> Toml:
    """A TOML document. Raises `InputError` with the place of what is wrong."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"this is no TOML: {error}", where=where, fix="correct the file; nothing was changed"
        ) from None


def of_json(text: str) -> Toml:
    """A JSON object; empty when it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def merged(base: Mapping[str, object], other: Mapping[str, object]) -> Toml:
    """Two tables as one, table by table; of two values the other's counts."""
    result = dict(base)
    for key, value in other.items():
        mine = result.get(key)
        both = isinstance(mine, dict) and isinstance(value, dict)
        result[key] = merged(mine, value) if both else copy.deepcopy(value)  # type: ignore[arg-type]
    return result


def at(table: Mapping[str, object], path: Sequence[str]) -> Toml:
    """The table at that path; empty when there is none."""
    found: object = table
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def text(table: Mapping[str, object], key: str) -> str:
    """The text of that key; empty when there is none."""
    found = table.get(key)
    return found if isinstance(found, str) else ""


def number(table: Mapping[str, object], key: str) -> int:
    """The whole number of that key; 0 when there is none."""
    found = table.get(key)
    return found if isinstance(found, int) else 0


def texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The texts of the list of that key."""
    found = table.get(key)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def tables(table: Mapping[str, object], key: str) -> tuple[Toml, ...]:
    """The tables of the list of that key."""
    found = table.get(key)
    return tuple(each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()
