"""JSON values that follow one another in one text, as kubectl and jq write and read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

_SPACE: Final = re.compile(r"\s*")
_DECODER: Final = json.JSONDecoder()


def values(data: bytes) -> list[tuple[bytes, int]]:
    """The text of each value and the line where it begins; none when the data is anything but such values."""
    try:
        return list(_values(data.decode()))
    except (ValueError, RecursionError):
        return []


def _values(text: str) -> Iterator[tuple[bytes, int]]:
    line, seen, here = 1, 0, _skip(text, 0)
    while here < len(text):
        _, end = _DECODER.raw_decode(text, here)
        line += text.count("\n", seen, here)
        seen = here
        yield text[here:end].encode(), line
        here = _skip(text, end)


def _skip(text: str, here: int) -> int:
    found = _SPACE.match(text, here)
    return found.end() if found else here
