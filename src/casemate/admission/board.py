"""A board in shared memory on which processes tell how they are: one slot each, written by one process only.

1. Each beats while its loop turns, so that one that hangs is found. Workers have the first slots, and say which
   revision of the rules they have; the controller has the last.
2. Whoever reads may do so at any moment. A number is eight bytes in their place, written at once: who saw half of it,
   or none (as `struct` clears a slot before it fills it), would take a process that is well for one that hangs.
"""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = 8


@dataclass(frozen=True, slots=True)
class Sign:
    """What a process said last: when (monotonic seconds), and the revision of its rules, 0 for none."""

    when: float
    revision: int


class Board:
    """To be made before processes are forked."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.controller = workers
        slots = workers + 1
        memory = memoryview(mmap.mmap(-1, 2 * _NUMBER * slots))
        self._when = memory[: _NUMBER * slots].cast("d")
        self._revisions = memory[_NUMBER * slots :].cast("Q")

    def sign(self, slot: int, revision: int = 0) -> None:
        """Say that the process of that slot is well."""
        self._revisions[slot] = revision
        self._when[slot] = time.monotonic()

    def clear(self, slot: int) -> None:
        """Begin a slot anew: its process starts now and has no rules."""
        self.sign(slot)

    def read(self, slot: int) -> Sign:
        """What the process of that slot said last."""
        return Sign(self._when[slot], self._revisions[slot])

    def revisions(self, within: float) -> list[int]:
        """The revisions of all workers; 0 for one that was silent for so many seconds."""
        now = time.monotonic()
        signs = [self.read(each) for each in range(self.workers)]
        return [each.revision if now - each.when <= within else 0 for each in signs]
