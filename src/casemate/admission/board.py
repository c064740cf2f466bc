"""A board in shared memory on which workers tell how they are: one slot each, written by one process only.

A worker beats while its loop turns, so that one that hangs is found, and says which revision of the rules it applies.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from typing import Final

_SLOT: Final = struct.Struct("dQ")


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker said last: when (monotonic seconds), and the revision of its rules, 0 for none."""

    when: float
    revision: int


class Board:
    """To be made before processes are forked."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._memory = mmap.mmap(-1, _SLOT.size * slots)

    def sign(self, slot: int, revision: int) -> None:
        """Say that the worker of that slot is well."""
        _SLOT.pack_into(self._memory, slot * _SLOT.size, time.monotonic(), revision)

    def clear(self, slot: int) -> None:
        """Begin a slot anew: its worker starts now and has no rules."""
        self.sign(slot, 0)

    def read(self, slot: int) -> Sign:
        """What the worker of that slot said last."""
        return Sign(*_SLOT.unpack_from(self._memory, slot * _SLOT.size))

    def revisions(self, within: float) -> list[int]:
        """The revisions of all workers; 0 for one that was silent for so many seconds."""
        now = time.monotonic()
        signs = [self.read(each) for each in range(self.slots)]
        return [each.revision if now - each.when <= within else 0 for each in signs]
