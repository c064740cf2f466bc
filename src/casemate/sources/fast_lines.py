"""What one line of YAML says, for lines of which each says all that it has to say.

1. Such a line is blank, a comment, or dashes, a key and a value, in printable ASCII without tabs; dashes and key may be
   left out. What it says depends on no other line but for its place, so that a line is taken apart once, however many
   documents have it. In manifests that programs write nearly all lines are such.
2. Keys are words that YAML reads as text, or such words in double quotes.
3. Values are plain words (`casemate.sources.scalars`), quoted ones without escapes, flat lists of either, empty
   collections, and aliases; or nothing, where the lines below may hold the value. An anchor may stand before them.
4. All other lines are no plain lines: those with tags, escapes, block scalars, merge keys, values that begin with an
   indicator, and lines without dashes or key, which would continue the one above.

A place is a level: twice the column of a key, and one more for a dash. A list may stand below its key in the same
column and is deeper all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from casemate.sources import scalars
from casemate.sources.scalars import Scalar

_KEPT: Final = 50_000
_LONGEST: Final = 200

_PLAIN: Final = r"(?![,\[\]{}#&*!|>'\"%@`?:<]|-(?: |\Z))(?:[!-~]*[!-9;-~])(?: +(?!#)[!-~]*[!-9;-~])*"
_FLAT: Final = r"\"[ !#-\[\]-~]*\"|'[ -&(-~]*'|-{0,2}[a-zA-Z0-9_./][\w./=-]*"
_KEY: Final = re.compile(r"( *(?:- +)*)(\"?)([a-zA-Z_./][\w./-]*)\2", re.ASCII)
_DASHES: Final = re.compile(r" *((?:-(?: +|\Z))*)")
_VALUE: Final = re.compile(
    rf"(?:({_PLAIN})|\"([ !#-\[\]-~]*)\"|'([ -&(-~]*)'|\*([\w-]+)|(\{{ *\}})"
    rf"|\[ *((?:{_FLAT})?(?: *, *(?:{_FLAT}))*) *\]|&([\w-]+)(?: +({_PLAIN}))?)?(?:(?:\A| +)#[ -~]*)? *",
    re.ASCII,
)
_ITEM: Final = re.compile(_FLAT, re.ASCII)
_COMMENT: Final = re.compile("(?:#[ -~]*)?")


class NotPlainError(Exception):
    """A line, or its place among the others, that takes a whole parser."""


class Kind(NamedTuple):
    """What stands for a line's value: itself, a list in one line (`flow`), what is `below`, or what an alias names."""

    flow: bool = False
    below: bool = False
    alias: str = ""
    anchor: str = ""


VALUE: Final = Kind()
_FLOW: Final = Kind(flow=True)
BELOW: Final = Kind(below=True)

LineValue: TypeAlias = "Scalar | list[Scalar] | dict[str, Scalar]"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What a line says but for its value. Lines that are alike in that have the same one.

    `level` is that of its first dash or of its key, -1 for a line that says nothing. `inner` are the levels of further
    dashes and of a key behind them. `key` is None for an item that is a value, of which `value_level` is the level.
    """

    level: int
    inner: tuple[int, ...] = ()
    key: str | None = None
    value_level: int = 0
    kind: Kind = VALUE

    @property
    def hides(self) -> bool:
        """Whether a line alone does not tell what stands where: one with an alias, or with a dash and nothing else."""
        return self.kind is not VALUE and (bool(self.kind.alias) or (self.key is None and self.kind.below))


class Line(NamedTuple):
    """What a line says: its head, and its value, None where that stands elsewhere."""

    head: Head
    value: LineValue = None


_NOTHING: Final = Line(Head(-1))


class Lines(dict[str, Line]):
    """Lines by their text. Raises `NotPlainError` for those that are not plain."""

    def __missing__(self, text: str) -> Line:
        line = _line(text)
        if len(text) <= _LONGEST:
            if len(self) >= _KEPT:
                self.clear()
            self[text] = line
        return line


LINES: Final = Lines()
"""Those that were read so far."""


def _line(text: str) -> Line:
    key, colon, value = text.partition(": ")
    if colon and (heads := _keyed(key)) is not None:
        kind, said = _value(value.lstrip(" "))
        return Line(heads[kind], said)
    if text.endswith(":") and (heads := _keyed(text[:-1])) is not None:
        return Line(heads[BELOW])
    found = _DASHES.match(text)
    assert found
    if found[1]:
        kind, said = _value(text[found.end() :])
        return Line(_dashed(found[0])[kind], said)
    if _COMMENT.fullmatch(text, found.end()):
        return _NOTHING
    raise NotPlainError


class _Heads(dict[Kind, Head]):
    """Heads of lines that differ in their kind, as this one does."""

    def __init__(self, head: Head) -> None:
        self._head = head

    def __missing__(self, kind: Kind) -> Head:
        made = self[kind] = replace(self._head, kind=kind)
        return made


@lru_cache(maxsize=16384)
def _keyed(text: str) -> _Heads | None:
    """The heads of lines that begin with this text and a colon; None where that is no key that is plain."""
    found = _KEY.fullmatch(text)
    if found is None:
        return None
    dashes, quote, key = found.groups()
    if not quote and scalars.plain(key) != key:
        return None
    first, *inner = (*_dashes(dashes), 2 * len(dashes))
    return _Heads(Head(first, tuple(inner), key))


@lru_cache(maxsize=1024)
def _dashed(text: str) -> _Heads:
    """The heads of lines that begin with these dashes, and have no key."""
    first, *inner = _dashes(text)
    return _Heads(Head(first, tuple(inner), None, 2 * len(text)))


def _dashes(text: str) -> tuple[int, ...]:
    return tuple(2 * place.start() + 1 for place in re.finditer("-", text))


def _value(text: str) -> tuple[Kind, LineValue]:
    found = _VALUE.fullmatch(text)
    if found is None:
        raise NotPlainError
    match found.lastindex:
        case None:
            return BELOW, None
        case 1:
            return VALUE, _plain(found[1])
        case 2 | 3 as quoted:
            return VALUE, str(found[quoted])
        case 4:
            return Kind(alias=found[4]), None
        case 5:
            return VALUE, {}
        case 6:
            items = [_plain(each) if each[0] not in "\"'" else each[1:-1] for each in _ITEM.findall(found[6])]
            return (_FLOW if items else VALUE), items
        case _:
            anchor = found[7]
            return (
                (Kind(below=True, anchor=anchor), None) if found[8] is None else (Kind(anchor=anchor), _plain(found[8]))
            )


def _plain(text: str) -> Scalar:
    try:
        return scalars.plain(text)
    except ValueError:
        raise NotPlainError from None
