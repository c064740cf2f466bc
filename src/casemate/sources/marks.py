"""Where each value of a document stands in its file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

import msgspec

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LONGEST_KEY = 100
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")


class Marks(msgspec.Struct, frozen=True):
    """The position (from 1) of a value, and those of the values inside it: by key, or in order."""

    line: int
    column: int
    children: dict[str, Marks] | list[Marks] | None = None

    def at(self, path: Iterable[Step]) -> Marks:
        """The position of the value at `path`, or of the nearest one around it that is there."""
        here = self
        for step in path:
            below = here.child(step)
            if below is None:
                break
            here = below
        return here

    def child(self, step: Step) -> Marks | None:
        """The position of one key or item, or None when there is none."""
        if isinstance(self.children, dict):
            return self.children.get(str(step))
        if isinstance(self.children, list) and str(step).isdecimal() and int(step) < len(self.children):
            return self.children[int(step)]
        return None


def shown(path: Iterable[Step]) -> str:
    """A path as Kubernetes prints it: `spec.containers[0].image`, `metadata.labels[example.com/tier]`."""
    text = ""
    for step in path:
        if isinstance(step, str) and len(step) > _LONGEST_KEY:
            text += f"[{step[:_LONGEST_KEY]}…]"
        elif isinstance(step, int) or not _PLAIN_KEY.fullmatch(step):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


@lru_cache(maxsize=4096)
def steps(path: str) -> Path:
    """The steps of a path that `shown` printed. Numbers in brackets stay text: `Marks.at` takes both."""
    return tuple(match[1] or match[2] for match in _STEP.finditer(path))
