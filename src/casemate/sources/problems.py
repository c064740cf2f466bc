"""What is wrong with the input: one problem each, all of them raised together.

A reader of the input collects every `Problem` that it finds and raises them once: a user mends a file in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from casemate.errors import InputError

LISTED = 50
"""How many problems one error spells out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the input: where it is (`file:line:column`), what it is, and what to do about it."""

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        advice = f"; {self.fix}" if self.fix else ""
        return f"{self.where}: {self.what}{advice}"


def raise_for(problems: Sequence[Problem]) -> None:
    """Raise one `InputError` that lists the problems, or return when there are none."""
    if not problems:
        return
    if len(problems) == 1:
        raise InputError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
    lines = [f"  {problem}" for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"  … and {len(problems) - LISTED} more")
    raise InputError("\n".join([f"{len(problems)} mistakes in the input:", *lines]), fix="mend them and run again")


def near_miss(word: str, known: Iterable[str]) -> str:
    """Advice that names the known word nearest to `word`, or an empty string when none is near."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return f'did you mean "{by_lower[close[0]]}"?' if close else ""
