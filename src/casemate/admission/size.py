"""How much of an object may be judged: its time grows faster than its size, and anyone who may make Pods chooses that.

1. Counted are the entries of all lists and mappings in it. No workload that people write comes near the limit.
2. What is over it is denied, with a message that says so.
"""

from __future__ import annotations

from typing import Final

MOST_ENTRIES: Final = 10_000
SMALL: Final = 64 << 10
"""An object of so many bytes or fewer cannot hold enough entries to matter."""


def is_too_large(value: object) -> bool:
    """Whether there are more entries in it than may be judged. Counting ends there."""
    left, pending = MOST_ENTRIES, [value]
    while pending:
        here = pending.pop()
        if isinstance(here, dict | list):
            left -= len(here)
            if left < 0:
                return True
            pending.extend(here.values() if isinstance(here, dict) else here)
    return False
