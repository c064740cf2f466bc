"""Which versions have a fix, when several branches got one each.

1. A version is a sequence of numbers; a pre-release (`-rc.2`) comes before its release. What stands after the numbers
   otherwise (`+k3s1`, `-gke.100`, `-0ubuntu1`) is not compared: a distribution's own fixes do not show in it.
2. Each fix is the first fixed version of its branch (the first two numbers). A version at or above the newest fix has
   it; so has one at or above the fix of its own branch; no other has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

Version: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]

_NUMBERS: Final = re.compile(r"(?:^|[^0-9.])v?(\d+(?:\.\d+)*)")
_PRE: Final = re.compile(r"[-.~]?(alpha|beta|rc)[-.]?(\d*)")
_STAGES: Final = {"alpha": 0, "beta": 1, "rc": 2}
_RELEASED: Final = (3,)


def parse(text: str) -> Version | None:
    """A version that can be compared, from what programs print: `1.2.8`, `v1.3.0-rc.2`, `release-20260824.0`."""
    numbers = _NUMBERS.search(text)
    if numbers is None:
        return None
    parts = [int(part) for part in numbers[1].split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    early = _PRE.match(text, numbers.end())
    stage = (_STAGES[early[1]], int(early[2] or 0)) if early else _RELEASED
    return tuple(parts), stage


def is_fixed(version: str, fixes: Iterable[str]) -> bool | None:
    """Whether a version has the fix; None when it cannot be read."""
    mine = parse(version)
    first = sorted(fix for fix in map(parse, fixes) if fix is not None)
    if mine is None or not first:
        return None
    return mine >= first[-1] or any(_branch(mine) == _branch(fix) and mine >= fix for fix in first)


def below(version: str, limit: str) -> bool | None:
    """Whether a version is lower than another; None when one of them cannot be read."""
    mine, other = parse(version), parse(limit)
    return None if mine is None or other is None else mine < other


def _branch(version: Version) -> tuple[int, ...]:
    return (*version[0], 0, 0)[:2]
