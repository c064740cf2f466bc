"""Whether text may set a key twice in one mapping, which fast parsers overlook.

1. In block YAML a key is told by its column and by the dash before it. Text within scalars may look like keys: where
   the answer is yes, the exact parser decides.
2. Between braces a key is what follows a brace or a comma. Every brace is taken for the first of a mapping, as it may
   stand in a scalar in which nothing is what it seems. Where that takes long, the exact parser decides.
3. Keys written with escapes, anchors or `?` are rare, and nobody's to tell but the exact parser's.
4. JSON that has more keys than the value that was made of it has one of them twice. Escapes that could make a string
   look like a key in the one and not in the other are left to the exact parser.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_KEY: Final = re.compile(r"""^( *)((?:-[ \t]+)*)([\w./-]+|"[^"\n]*"|'[^'\n]*') *:(?=[ \n]|\Z)""", re.MULTILINE)
_ODD: Final = re.compile(r"^ *(?:-[ \t]+)*(?:\?\s|&[^\s&])", re.MULTILINE)
_BRACE: Final = re.compile(r"\{(?!\s*\})")
_TOKEN: Final = re.compile(
    r"""(?<=\s)#[^\n]*|([{}\[\],])|:|("(?:[^"\\]|\\.)*+"|'[^']*+'|[^\s#"'](?:(?!:[\s,\[\]{}]|\s#)[^,\[\]{}])*+)|["'#]""",
    re.DOTALL,
)
_MOST: Final = 200_000
_JSON_KEY: Final = re.compile(rb'(?<!\\)"\s*:')
_HIDDEN: Final = re.compile(rb"\\u00(?:20|3[aA])")


def in_yaml(text: str) -> bool:
    """Whether a mapping may have a key twice."""
    return _in_blocks(text) or _in_braces(text)


def _in_blocks(text: str) -> bool:
    columns: list[int] = []
    keys: list[set[str]] = []
    for indent, dashes, key in _KEY.findall(text):
        column = len(indent)
        while columns and columns[-1] > column:
            del columns[-1], keys[-1]
        if dashes or not columns or columns[-1] < column:
            columns.append(column + len(dashes))
            keys.append(set())
        name = key.strip("\"'")
        if name in keys[-1] or "\\" in key:
            return True
        keys[-1].add(name)
    return bool(_ODD.search(text))


def _in_braces(text: str) -> bool:
    looked_at = 0
    for brace in _BRACE.finditer(text):
        end = _end(text, brace.start())
        looked_at += end - brace.start()
        if end < 0 or looked_at > _MOST:
            return True
    return False


def _end(text: str, start: int) -> int:
    """Where the mapping ends that begins there; -1 when it has a key twice, or one that is not plain."""
    opened: list[set[str] | None] = []
    begins = False
    for token in _TOKEN.finditer(text, start):
        mark, word = token.groups()
        if mark in ("}", "]"):
            del opened[-1]
            if not opened:
                return token.end()
        elif mark in ("{", "["):
            opened.append(set() if mark == "{" else None)
        elif word and begins and (keys := opened[-1]) is not None:
            name = word.strip("\"' \n\t")
            if name in keys or word[0] in "?&*" or "\\" in word:
                return -1
            keys.add(name)
        begins = mark in ("{", ",") or (begins and not word)
    return len(text)


def in_json(data: bytes, value: object) -> bool:
    """Whether an object in the JSON that this value was made of may have a key twice."""
    if _HIDDEN.search(data):
        return True
    return len(_JSON_KEY.findall(data)) > len(_JSON_KEY.findall(msgspec.json.encode(value)))
