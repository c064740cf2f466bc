"""Changes of an input: its bytes, its lines, the values of its YAML, and whole branches of it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import yaml

_LONGEST: Final = 200_000
_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"---\n",
    b"{",
    b"[",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"<<: *a",
    b"\t",
    b"\r\n",
    b"? ",
    b"|\n",
    b"%YAML 1.1\n",
    b"\xe2\x80\xa8",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x94\x92",
)
_VALUES = (
    b"null",
    b"yes",
    b"0777",
    b"1e999",
    b".nan",
    b"-1",
    b"99999999999999999999",
    b"''",
    b"[]",
    b"{}",
    b"{a: [b]}",
    b"1_000",
    b"0x1f",
    b"2026-01-01",
    b"!!python/object:os.system x",
    b"'\\0'",
    b'"\\uD800"',
    b'"\\x1b[31m"',
    b"<script>alert(1)</script>",
    b"'=cmd()'",
    b"]]>",
    b"a" * 5000,
)
_LEAVES: Final = (None, True, 0, -1, 1.5, 2**63, 10**30, "", "0", "on", "a\u2028b", "\ud800", "\x00", "*", [], {}, [[]])
_COUNTS: Final = (1, 1, 1, 2, 3, 6)
_VALUE = re.compile(rb"(?m)(?<=: )[^\n{}\[\],]+")


def _bytes(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            data[place : place + chance.randrange(8)] = b""
        case 1:
            data[place:place] = chance.choice(_BYTES)
        case 2:
            data[place : place + 1] = bytes([chance.randrange(256)])
        case _:
            data[place:place] = data[place : place + chance.randrange(200)] * chance.randrange(4)


def _lines(data: bytearray, chance: random.Random) -> None:
    lines = bytes(data).split(b"\n")
    place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[other])
        case 2:
            lines[place] = b" " * chance.randrange(9) + lines[place].lstrip()
        case _:
            lines[place], lines[other] = lines[other], lines[place]
    data[:] = b"\n".join(lines)


def _values(data: bytearray, chance: random.Random) -> None:
    found = list(_VALUE.finditer(bytes(data)))
    if found:
        place = chance.choice(found)
        taken = chance.choice(found).group() if chance.random() < 0.4 else chance.choice(_VALUES)
        data[place.start() : place.end()] = taken


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (_bytes, _lines, _values, _values)


def changed(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the seeds with one to six changes, or with branches of another one in it.

    Mostly one: a strict reader gets no further than to the first.
    """
    seed = chance.choice(seeds)
    if chance.random() < 0.3 and (grown := grafted(seed, chance.choice(seeds), chance)) is not None:
        return grown[:_LONGEST]
    data = bytearray(seed)
    for _ in range(chance.choice(_COUNTS)):
        chance.choice(_CHANGES)(data, chance)
    return bytes(data[:_LONGEST])


def grafted(seed: bytes, other: bytes, chance: random.Random) -> bytes | None:
    """Documents of which some branches are another's, leaves that no schema has, or gone. None when these are none."""
    trunk, donor = _documents(seed), _documents(other)
    if not trunk or not donor:
        return None
    branches = [value for value, _ in _places(donor)]
    for _ in range(chance.choice(_COUNTS)):
        places = [found for _, found in _places(trunk) if found is not None]
        if not places:
            return None
        holder, key = chance.choice(places)
        match chance.randrange(4):
            case 0:
                holder[key] = chance.choice(_LEAVES)
            case 1 if isinstance(holder, dict):
                del holder[key]
            case 2 if isinstance(holder, dict):
                holder[str(chance.choice(_LEAVES))] = holder[key]
            case _:
                holder[key] = _copy(chance.choice(branches))
    return _written(trunk, seed, chance)


def _documents(data: bytes) -> list[Any]:
    if b"*" in data and b"&" in data:
        return []  # What branches share would count as often as it is shared.
    try:
        return [each for each in yaml.load_all(data.decode(), yaml.CSafeLoader) if each is not None]
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return []


def _places(value: Any, found: tuple[Any, Any] | None = None, depth: int = 0) -> list[tuple[Any, Any]]:
    """Every branch with where it hangs."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    here = [(value, found)]
    if depth < 30:
        for key, each in inside:
            here += _places(each, (value, key), depth + 1)
    return here


def _copy(branch: Any) -> Any:
    """Without what it shares with others, so that no branch comes to hold itself."""
    try:
        return json.loads(json.dumps(branch, default=str))
    except (ValueError, TypeError, RecursionError):
        return None


def _written(trunk: list[Any], seed: bytes, chance: random.Random) -> bytes | None:
    try:
        if seed.lstrip()[:1] in (b"{", b"["):
            return json.dumps(trunk[0], default=str).encode("utf-8", "surrogatepass")
        text = yaml.dump_all(trunk, Dumper=yaml.CSafeDumper, default_flow_style=chance.choice((False, None, True)))
        return str(text).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
