"""Cron schedules and time zones, as robfig/cron's standard parser reads them."""

from __future__ import annotations

import re
from typing import Final

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_EVERY = re.compile(r"@every ([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+")
_TIME_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_LONGEST_NUMBER = 4
_MACROS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))


def wrong_schedule(value: object) -> str:
    """What is wrong with a schedule: five fields, or a macro such as `@daily`."""
    text = str(value)
    if "TZ=" in text:
        return "must have no time zone in it; set timeZone"
    if text in _MACROS or _EVERY.fullmatch(text):
        return ""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f'"{text}" must have five fields (minute, hour, day, month, weekday), such as "*/5 * * * *"'
    for written, (name, lowest, highest, words) in zip(fields, _FIELDS, strict=True):
        if not all(_fits(part, lowest, highest, words) for part in written.split(",")):
            return f'"{written}" is no {name} (from {lowest} to {highest})'
    return ""


def wrong_time_zone(value: object) -> str:
    """What is wrong with the name of a time zone, as far as its form tells."""
    text = str(value)
    if text.lower() == "local" or not _TIME_ZONE.fullmatch(text):
        return f'"{text}" must be the name of a time zone such as Europe/Berlin'
    return ""


def _fits(part: str, lowest: int, highest: int, words: dict[str, int]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not _number(step, {}):
        return False
    if span in ("*", "?"):
        return True
    numbers = [_number(each, words) for each in span.split("-")]
    if len(numbers) > 2 or any(number is None or not lowest <= number <= highest for number in numbers):
        return False
    return len(numbers) == 1 or (numbers[0] or 0) <= (numbers[1] or 0)


def _number(text: str, words: dict[str, int]) -> int | None:
    if text.isdecimal() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    return words.get(text.lower())
