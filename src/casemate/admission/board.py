"""A board in shared memory on which workers tell how they are: one slot each, written by one process only.

1. A worker beats while its loop turns, so that one that hangs is found, and says which revision of the rules it has.
2. Whoever reads may do so at any moment. A number is eight bytes in their place, written at once: who saw half of it,
   or none (as `struct` clears a slot before it fills it), would take a worker that is well for one that hangs.
"""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = 8


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker said last: when (monotonic seconds), and the revision of its rules, 0 for none."""

    when: float
    revision: int


class Board:
    """To be made before processes are forked."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        memory = memoryview(mmap.mmap(-1, 2 * _NUMBER * slots))
        self._when = memory[: _NUMBER * slots].cast("d")
        self._revisions = memory[_NUMBER * slots :].cast("Q")

    def sign(self, slot: int, revision: int) -> None:
        """Say that the worker of that slot is well."""
        self._revisions[slot] = revision
        self._when[slot] = time.monotonic()

    def clear(self, slot: int) -> None:
        """Begin a slot anew: its worker starts now and has no rules."""
        self.sign(slot, 0)

    def read(self, slot: int) -> Sign:
        """What the worker of that slot said last."""
        return Sign(self._when[slot], self._revisions[slot])

    def revisions(self, within: float) -> list[int]:
        """The revisions of all workers; 0 for one that was silent for so many seconds."""
        now = time.monotonic()
        signs = [self.read(each) for each in range(self.slots)]
        return [each.revision if now - each.when <= within else 0 for each in signs]
