"""Conditions as data: what a row's `when:` says.

1. A condition is a predicate (`host-network`), a predicate with arguments (`{image: ["*/postgres"]}`), or
   `{all: […]}`, `{any: […]}`, `{not: …}`.
2. The names of predicates, and how many arguments each takes, are those of `predicates.yaml`. Any other is an error.
3. Arguments are texts. Equal conditions are equal and hash alike, so that each needs to be decided only once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeAlias

import msgspec
import yaml

Scope: TypeAlias = Literal[
    "any", "pod", "identity", "container", "image", "node", "class", "exposure", "rights", "assessment"
]


class Predicate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question that can be asked of a workload, by name."""

    name: str
    scope: Scope
    arguments: Literal["none", "optional", "some", "one"]
    meaning: str

    def takes(self, count: int) -> bool:
        """Whether it can be asked with that many arguments."""
        match self.arguments:
            case "none":
                return count == 0
            case "one":
                return count == 1
            case "some":
                return count > 0
            case "optional":
                return True


class Is(msgspec.Struct, frozen=True, tag="is"):
    """One predicate with its arguments."""

    predicate: str
    arguments: tuple[str, ...] = ()


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """Each of them."""

    of: tuple[When, ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """At least one of them."""

    of: tuple[When, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """The opposite of one."""

    of: When


When: TypeAlias = Is | AllOf | AnyOf | Not


class ConditionError(ValueError):
    """A `when` that says nothing. `path` leads from the condition to the part that is wrong."""

    def __init__(self, what: str, path: tuple[str | int, ...], fix: str = "") -> None:
        super().__init__(what)
        self.path = path
        self.fix = fix


@cache
def predicates() -> Mapping[str, Predicate]:
    """All predicates by name."""
    text = resources.files(__package__).joinpath("predicates.yaml").read_text(encoding="utf-8")
    rows = msgspec.convert(yaml.load(text, yaml.CSafeLoader), tuple[Predicate, ...])
    return {row.name: row for row in rows}


_NESTED: Final = ("all", "any", "not")


def read(value: object, path: tuple[str | int, ...] = ()) -> When:
    """The condition that a value of YAML stands for. Raises ConditionError."""
    if isinstance(value, str):
        return _asked(value, (), path)
    if not isinstance(value, dict) or len(value) != 1:
        raise ConditionError("a condition is a name, or a mapping with one key", path, "use {all: [a, b]} for several")
    ((key, inner),) = value.items()
    if key not in _NESTED:
        return _asked(str(key), _arguments(inner, (*path, key)), path)
    if key == "not":
        return Not(read(inner, (*path, key)))
    if not isinstance(inner, list) or not inner:
        raise ConditionError(f"`{key}` takes a list of conditions", (*path, key))
    parts = tuple(read(each, (*path, key, index)) for index, each in enumerate(inner))
    return AllOf(parts) if key == "all" else AnyOf(parts)


def asked(when: When) -> frozenset[Is]:
    """Every predicate with its arguments that a condition asks."""
    match when:
        case Is():
            return frozenset((when,))
        case Not(of=inner):
            return asked(inner)
        case AllOf(of=parts) | AnyOf(of=parts):
            return frozenset().union(*(asked(part) for part in parts))


def shown(when: When) -> str:
    """A condition in words: `host-network and not (may-be-root or image redis, postgres)`."""
    match when:
        case Is(predicate=name, arguments=arguments):
            return f"{name} {', '.join(arguments)}" if arguments else name
        case Not(of=inner):
            return f"not {_bracketed(inner)}"
        case AllOf(of=parts):
            return " and ".join(_bracketed(part) for part in parts)
        case AnyOf(of=parts):
            return " or ".join(_bracketed(part) for part in parts)


def _bracketed(when: When) -> str:
    return f"({shown(when)})" if isinstance(when, AllOf | AnyOf) and len(when.of) > 1 else shown(when)


def _arguments(value: object, path: tuple[str | int, ...]) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    for index, each in enumerate(values):
        if not isinstance(each, str):
            raise ConditionError("arguments are texts", (*path, index) if isinstance(value, list) else path, "quote it")
    return tuple(values)


def _asked(name: str, arguments: tuple[str, ...], path: tuple[str | int, ...]) -> Is:
    known = predicates()
    if name not in known:
        near = difflib.get_close_matches(name, (*known, *_NESTED), 1)
        raise ConditionError(f"no predicate is named `{name}`", path, f"did you mean `{near[0]}`?" if near else "")
    if not known[name].takes(len(arguments)):
        wants = {"none": "no arguments", "some": "one or more arguments", "one": "one argument"}
        raise ConditionError(f"`{name}` takes {wants[known[name].arguments]}", (*path, name) if arguments else path)
    return Is(name, arguments)
