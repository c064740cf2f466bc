"""Limits of the API server on admission policies, checked before it would refuse them, or a request because of them.

1. An expression may have 100,000 code points (cel-go, parser.go).
2. An object may have 1.5 MiB in etcd; what managed fields and status add is left room for.
3. An expression may cost 1,000,000 units and all of a binding 10,000,000 (apiserver, pkg/apis/cel/config.go). What is
   validated is evaluated twice, as the message is evaluated apart and even when nothing is wrong.
4. A message may have 5 KiB (there): it is cut after as many characters as fit for sure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from casemate.errors import InputError
from casemate.policy.compile.cel import LONGEST
from casemate.policy.compile.estimate import Size, estimate

LARGEST: Final = 1_000_000
"""Bytes that an object may have."""

PER_EXPRESSION: Final = 1_000_000
PER_BINDING: Final = 10_000_000

_CHARACTERS: Final = 1_200
_FIX: Final = "split the policies, or leave them to `casemate admit`"


def message(reasons: str) -> str:
    """The message of a denial for a list of reasons: four bytes for each character at most."""
    said = f"{reasons}.join('; ')"
    return f"'casemate: ' + (size({said}) > {_CHARACTERS} ? {said}.substring(0, {_CHARACTERS}) + ' …' : {said})"


def check(made: Mapping[str, object], known: Mapping[str, Size]) -> None:
    """Raise `InputError` when the API server would not take the object, or not the cost of it.

    `known` are sizes of variables that do not follow from their expressions.
    """
    for path, expression in expressions(made):
        if len(expression) > LONGEST:
            what = f"expression {path} has {len(expression)} characters, the API server takes {LONGEST}"
            raise InputError(what, where=_title(made), fix=_FIX)
    size = len(json.dumps(made))
    if size > LARGEST:
        what = f"it has {size} bytes, more than etcd takes for sure ({LARGEST})"
        raise InputError(what, where=_title(made), fix=_FIX)
    for name, units in (found := costs(made, known)).items():
        if units > PER_EXPRESSION:
            what = f"{name} may cost {units:,} units, the API server spends {PER_EXPRESSION:,}"
            raise InputError(what, where=_title(made), fix=_FIX)
    if (total := 2 * sum(found.values())) > PER_BINDING:
        what = f"it may cost {total:,} units, the API server spends {PER_BINDING:,} on a request"
        raise InputError(what, where=_title(made), fix=_FIX)


def costs(made: Mapping[str, object], known: Mapping[str, Size]) -> dict[str, int]:
    """What each variable and each validation of an admission policy costs at most."""
    spec = made["spec"]
    assert isinstance(spec, dict)
    sizes: dict[str, Size] = {}
    found: dict[str, int] = {}
    for each in spec.get("variables", ()):
        name = each["name"]
        estimated = estimate(each["expression"], sizes)
        sizes[name], found[name] = known.get(name, estimated.size), estimated.cost
    for number, each in enumerate(spec.get("validations", ())):
        found[f"validations[{number}]"] = estimate(each["expression"], sizes).cost
    return found


def _title(made: Mapping[str, object]) -> str:
    metadata = made["metadata"]
    return f"{made['kind']} {metadata['name'] if isinstance(metadata, dict) else ''}"


def expressions(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every expression of an object with its path."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("expression", "messageExpression") and isinstance(each, str):
                yield f"{path}.{key}".removeprefix("."), each
            else:
                yield from expressions(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from expressions(each, f"{path}[{index}]")
