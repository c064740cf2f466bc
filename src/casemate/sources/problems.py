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

ENOUGH = 1000
"""How many problems are collected at all: hostile input can hold millions."""

_LONGEST = 400
_LONGEST_PLACE = 5000
_LONGEST_WORD = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the input: where it is (`file:line:column`), what it is, and what to do about it.

    `unread`: what follows it, or all of the file, could not be read for it.
    """

    where: str
    what: str
    fix: str = ""
    unread: bool = False

    def __str__(self) -> str:
        advice = f"; {printable(self.fix)}" if self.fix else ""
        return f"{printable(self.where, _LONGEST_PLACE)}: {printable(self.what)}{advice}"


def raise_for(problems: Sequence[Problem]) -> None:
    """Raise one `InputError` that lists the problems, or return when there are none."""
    if not problems:
        return
    if len(problems) == 1:
        only = problems[0]
        raise InputError(printable(only.what), where=printable(only.where, _LONGEST_PLACE), fix=printable(only.fix))
    lines = [f"  {problem}" for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append("  … and more" if len(problems) >= ENOUGH else f"  … and {len(problems) - LISTED} more")
    counted = f"{ENOUGH} or more" if len(problems) >= ENOUGH else str(len(problems))
    raise InputError("\n".join([f"{counted} mistakes in the input:", *lines]), fix="mend them and run again")


def near_miss(word: str, known: Iterable[str]) -> str:
    """Advice that names the known word nearest to `word`, or an empty string when none is near."""
    if len(word) > _LONGEST_WORD:
        return ""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return f'did you mean "{by_lower[close[0]]}"?' if close else ""


def printable(text: str, longest: int = _LONGEST) -> str:
    """Text from the input, cut to a length and with control characters as escapes: a terminal must not obey them."""
    cut = text if len(text) <= longest else f"{text[:longest]}…"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)
