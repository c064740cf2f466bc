"""Whether text may set a key twice in one mapping, which fast parsers overlook.

1. In block YAML a key is told by its column and by the dash before it. Between braces, and in what no line begins, keys
   are not looked for. Text within scalars may look like keys: where the answer is yes, the exact parser decides.
2. JSON that has more keys than the value that was made of it has one of them twice.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_KEY: Final = re.compile(r"""^( *)((?:- +)*)([\w./-]+|"[^"\n]*"|'[^'\n]*') *:(?=[ \n])""", re.MULTILINE)
_JSON_KEY: Final = re.compile(rb'(?<!\\)"\s*:')


def in_yaml(text: str) -> bool:
    """Whether a block mapping may have a key twice."""
    columns: list[int] = []
    keys: list[set[str]] = []
    for indent, dashes, key in _KEY.findall(text):
        column = len(indent)
        while columns and columns[-1] > column:
            del columns[-1], keys[-1]
        if dashes or not columns or columns[-1] < column:
            columns.append(column + len(dashes))
            keys.append(set())
        if key in keys[-1]:
            return True
        keys[-1].add(key)
    return False


def in_json(data: bytes, value: object) -> bool:
    """Whether an object in the JSON that this value was made of has a key twice."""
    return len(_JSON_KEY.findall(data)) > len(_JSON_KEY.findall(msgspec.json.encode(value)))
