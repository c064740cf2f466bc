"""How CEL is written down: literals that the API server folds into constants, and variables.

1. A literal of texts, numbers, or lists and maps of them is folded once when the policy is loaded (cel-go,
   `OptOptimize`), so that a look-up in it costs the same however long it is. Literals are homogeneous, as Kubernetes
   asks (`HomogeneousAggregateLiterals`).
2. An expression may have 100,000 code points (cel-go, parser.go). Longer tables are spread over several variables.
3. A variable is evaluated when it is first used, once per request, and may use those before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 100_000
"""Code points that an expression may have."""

_REFERENCE: Final = re.compile(r"\bvariables\.([A-Za-z0-9_]+)")
_CHUNK: Final = 60_000
_ESCAPED: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Variable:
    """`variables.<name>` of a policy."""

    name: str
    expression: str


def text(value: str) -> str:
    """A string literal."""
    escaped = "".join(_ESCAPED.get(each) or _printable(each) for each in value)
    return f"'{escaped}'"


def _printable(character: str) -> str:
    if character.isprintable() and ord(character) < 0x7F:
        return character
    return f"\\U{ord(character):08x}"


def texts(values: Iterable[str]) -> str:
    """A list of strings."""
    return f"[{', '.join(map(text, values))}]"


def numbers(values: Iterable[int]) -> str:
    """A list of numbers."""
    return f"[{', '.join(map(str, values))}]"


def text_lists(values: Iterable[Iterable[str]]) -> str:
    """A list of lists of strings."""
    return typed(f"[{', '.join(map(texts, values))}]")


def clauses(values: Iterable[Iterable[Iterable[str]]]) -> str:
    """A list of lists of lists of strings."""
    lists = (f"[{', '.join(map(texts, each))}]" for each in values)
    return typed(f"[{', '.join(lists)}]")


def typed(literal: str) -> str:
    """The literal as a variable may hold it: one of empty lists would be taken for lists of numbers."""
    return literal if set(literal) - set("[], ") else f"dyn({literal})"


def used(variables: Mapping[str, str], *roots: str) -> dict[str, str]:
    """The variables that the expressions `roots` take, in their order."""
    wanted = set(_REFERENCE.findall(" ".join(roots)))
    for name, expression in reversed(list(variables.items())):
        if name in wanted:
            wanted.update(_REFERENCE.findall(expression))
    return {name: expression for name, expression in variables.items() if name in wanted}


def both(*conditions: str) -> str:
    """All of them."""
    return " && ".join(f"({each})" for each in conditions) or "true"


def lookup(name: str, table: Mapping[str, Sequence[int]], key: str) -> tuple[tuple[Variable, ...], str]:
    """Variables that hold the table, and an expression for the numbers that `key` (an expression) has in it."""
    variables = tuple(Variable(f"{name}{index}", chunk) for index, chunk in enumerate(_chunks(table)))
    parts = (f"{key} in variables.{each.name} ? variables.{each.name}[{key}]" for each in variables)
    return variables, f"({' : '.join((*parts, '[]'))})"


def _chunks(table: Mapping[str, Sequence[int]]) -> Iterator[str]:
    entries: list[str] = []
    size = 0
    for key, values in table.items():
        entry = f"{text(key)}: {numbers(values)}"
        if size + len(entry) > _CHUNK and entries:
            yield "{" + ", ".join(entries) + "}"
            entries, size = [], 0
        entries.append(entry)
        size += len(entry) + 2
    if entries:
        yield "{" + ", ".join(entries) + "}"
