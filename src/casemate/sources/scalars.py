"""Which value a YAML scalar stands for, as kubectl reads it.

kubectl turns YAML into JSON with sigs.k8s.io/yaml 1.6, which is go.yaml.in/yaml/v2. Its rules (`resolve.go`), in order:

1. Only a plain scalar without a tag is more than a string.
2. `y`, `yes`, `on`, `true` and `n`, `no`, `off`, `false` are booleans, in lower, upper or title case.
3. Nothing, `~` and `null` (`Null`, `NULL`) are null.
4. Integers may have a sign and underscores and be decimal, `0x`, `0o`, `0b`, or octal by a leading zero; they fit in
   64 bits.
5. Other decimal numbers are floats. `08` is the float 8, as it is no octal number. What overflows a float is a string.
6. Base-60 numbers (`1:30`) and dates are strings.
7. JSON has neither infinity nor NaN: `.inf` and `.nan` are errors.
8. A float without a fraction is written to JSON, and so read back, as an integer.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
NULL = frozenset(("", "~", "null", "Null", "NULL"))
NOT_IN_JSON = frozenset(f"{sign}{word}" for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")) | {
    ".nan",
    ".NaN",
    ".NAN",
}

_SPECIAL_STARTS = frozenset("yYnNtTfFoO~+-.0123456789")
_WORDS: dict[str, Scalar] = (
    dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False) | dict.fromkeys(NULL)  # Rules 2 and 3.
)
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = (16, 2, 8, 8, 10)
_MOST_DIGITS = 400
_LARGEST_PLAIN_JSON_NUMBER = 1e21


def plain(text: str) -> Scalar:
    """The value of a plain, untagged scalar. Raises `ValueError` for infinities and NaN."""
    if not text:
        return None
    if text[0] not in _SPECIAL_STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text in NOT_IN_JSON:
        raise ValueError(text)
    return _number(text)


def _number(text: str) -> Scalar:
    digits = text if text[0] == "." else text.replace("_", "")
    if len(digits) > _MOST_DIGITS:  # Longer than any number that fits; also keeps int() from quadratic work.
        return text
    integer = _INTEGER.fullmatch(digits)
    if integer:
        value = _integer(integer)
        if value is not None:
            return value
    return _float(digits, text) if _FLOAT.fullmatch(digits) else text


def _integer(match: re.Match[str]) -> int | None:
    sign, *by_base = match.groups()
    value = next(int(digits, base) for digits, base in zip(by_base, _BASES, strict=True) if digits is not None)
    if sign == "-":
        return -value if value <= 1 << 63 else None
    return value if value < 1 << (63 if sign else 64) else None


def _float(digits: str, text: str) -> Scalar:
    value = float(digits)
    if math.isinf(value):
        return text
    if value.is_integer() and abs(value) < _LARGEST_PLAIN_JSON_NUMBER:
        return int(Decimal(repr(value)))
    return value
