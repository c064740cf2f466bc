"""How commands end (DESIGN.md section 4)."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FOUND: Final = 1
"""A finding, a denial, a boundary that is not proven; or a runtime, an image or a workload failed."""

WRONG: Final = 2
"""The input or the command line."""

MISSING: Final = 3
"""Something that is needed on this machine, or the right to use it."""

INCOMPLETE: Final = 4
INTERRUPTED: Final = 130
NOT_READ: Final = 141
"""As a shell tells of a program whose reader went away: what was found is not known, so it is no 0."""


def after_looking(*, found: bool, missed: bool) -> int:
    """The code of a command that looks for something: what was found counts more than what could not be looked at."""
    return FOUND if found else INCOMPLETE if missed else DONE
