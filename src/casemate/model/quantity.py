"""Resource quantities: `500m`, `1Gi`, `1e3`, 0.5.

As k8s.io/apimachinery/pkg/api/resource reads them:

1. A quantity is a decimal number with an optional sign and an optional suffix: binary (`Ki` to `Ei`), decimal (`n`,
   `u`, `m`, `k` to `E`) or an exponent (`e3`, `E-2`). `E` alone is exa.
2. What is finer than a nano is rounded up, away from zero; what passes 2⁶³-1 is 2⁶³-1.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_UP, Decimal
from typing import Final

from casemate.errors import InputError
from casemate.model.kube.struct import Quantity

_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([A-Za-z]{0,2}|[eE][+-]?[0-9]{1,3})")
_SUFFIXES: Final = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
}
_LARGEST: Final = Decimal(2**63 - 1)
_NANO: Final = Decimal("1e-9")
_LONGEST = 64


def parse(quantity: Quantity) -> Decimal:
    """The exact value of a quantity. Raises `InputError` for text that is none."""
    text = str(quantity)
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        raise _bad(text)
    number, suffix = match.groups()
    if suffix in _SUFFIXES:
        value = Decimal(number) * _SUFFIXES[suffix]
    elif suffix[1:].lstrip("+-").isdecimal():
        value = Decimal(number).scaleb(int(suffix[1:]))
    else:
        raise _bad(text)
    if abs(value) > _LARGEST:
        return _LARGEST.copy_sign(value)
    return value.quantize(_NANO, ROUND_UP).normalize()


def milli(quantity: Quantity) -> int:
    """Thousandths, rounded up: CPU in millicores."""
    return int((parse(quantity) * 1000).to_integral_value(ROUND_CEILING))


def whole(quantity: Quantity) -> int:
    """The whole number, rounded up: memory in bytes."""
    return int(parse(quantity).to_integral_value(ROUND_CEILING))


def _bad(text: str) -> InputError:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return InputError(
        f'"{shown}" is no quantity', fix="write a number with an optional suffix, such as 500m, 64Mi or 2"
    )
