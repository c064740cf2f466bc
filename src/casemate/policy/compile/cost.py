"""Limits of the API server on admission policies, checked before it would refuse them.

1. An expression may have 100,000 code points (cel-go, parser.go).
2. An object may have 1.5 MiB in etcd; what managed fields and status add is left room for.
3. A message may have 5 KiB (apiserver, pkg/apis/cel/config.go): it is cut after as many characters as fit for sure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from casemate.errors import InputError
from casemate.policy.compile.cel import LONGEST

LARGEST: Final = 1_000_000
"""Bytes that an object may have."""

_CHARACTERS: Final = 1_200
_SAID: Final = "variables.denials.join('; ')"
MESSAGE: Final = (
    f"'casemate: ' + (size({_SAID}) > {_CHARACTERS} ? {_SAID}.substring(0, {_CHARACTERS}) + ' …' : {_SAID})"
)
"""The message of a denial: four bytes for each character at most."""

_FIX: Final = "split the policies, or leave them to `casemate admit`"


def check(made: dict[str, object]) -> None:
    """Raise `InputError` when the API server would not take the object."""
    for path, expression in expressions(made):
        if len(expression) > LONGEST:
            what = f"expression {path} has {len(expression)} characters, the API server takes {LONGEST}"
            raise InputError(what, where=_title(made), fix=_FIX)
    size = len(json.dumps(made))
    if size > LARGEST:
        raise InputError(
            f"it has {size} bytes, more than etcd takes for sure ({LARGEST})", where=_title(made), fix=_FIX
        )


def _title(made: dict[str, object]) -> str:
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
