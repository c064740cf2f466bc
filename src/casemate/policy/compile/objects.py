"""Objects as they are written for an API server, and what every one of them has."""

from __future__ import annotations

from typing import Any, TypeAlias

Object: TypeAlias = dict[str, object]


def part(made: Object, key: str) -> Object:
    """What stands under that key, which is an object."""
    found = made[key]
    assert isinstance(found, dict)
    return found


def parts(made: Object, key: str) -> list[Object]:
    """What stands under that key, which are objects."""
    found = listed(made, key)
    assert all(isinstance(each, dict) for each in found)
    return found


def listed(made: Object, key: str) -> list[Any]:
    """What stands under that key, which is a list."""
    found = made[key]
    assert isinstance(found, list)
    return found


def spec_of(made: Object) -> Object:
    """What the object is to be."""
    return part(made, "spec")


def name_of(made: Object) -> str:
    """The object's name."""
    return str(part(made, "metadata")["name"])
