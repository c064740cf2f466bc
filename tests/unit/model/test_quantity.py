"""Quantities mean what Kubernetes means by them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.errors import InputError
from casemate.model import quantity

VALUES = [
    ("0", "0"),
    ("1", "1"),
    (2, "2"),
    (0.5, "0.5"),
    (1e-07, "1e-7"),
    ("500m", "0.5"),
    ("+1.5", "1.5"),
    ("-3Mi", str(-3 * 1024**2)),
    ("1.", "1"),
    (".5", "0.5"),
    ("1Ki", "1024"),
    ("1k", "1000"),
    ("0.5Gi", str(512 * 1024**2)),
    ("1e3", "1000"),
    ("1E3", "1000"),
    ("12E-1", "1.2"),
    ("1E", "1e18"),
    ("1Ei", str(1024**6)),
    ("100n", "1e-7"),
    ("7u", "7e-6"),
    ("0.1n", "1e-9"),
    ("-0.1n", "-1e-9"),
    ("1e300", str(2**63 - 1)),
    ("-1e300", str(1 - 2**63)),
    ("16Ei", str(2**63 - 1)),
]

NONSENSE = [
    "",
    " ",
    "1 Gi",
    "Gi",
    "1gi",
    "1K",
    "1GB",
    "1ki",
    "--1",
    "1..2",
    ".",
    "0x10",
    "1e",
    "1e1.5",
    "1_000",
    "½",
    "\u0661",
    "nan",
    "inf",
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_quantity_has_the_value_that_kubernetes_gives_it(text, value):
    assert quantity.parse(text) == Decimal(value)


@pytest.mark.parametrize("text", [*NONSENSE, "9" * 1_000_000, "1e" + "9" * 1_000_000])
def test_what_is_no_quantity_is_an_input_error_with_advice(text):
    with pytest.raises(InputError, match="is no quantity") as error:
        quantity.parse(text)
    assert error.value.fix
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("text", "millicores"), [("1", 1000), ("0.5", 500), ("100m", 100), ("100u", 1), ("1.0001", 1001)]
)
def test_millicores_are_rounded_up(text, millicores):
    assert quantity.milli(text) == millicores


@pytest.mark.parametrize(
    ("text", "bytes_"), [("1Mi", 1 << 20), ("1.5", 2), ("1m", 1), ("0", 0), ("128974848", 128974848)]
)
def test_bytes_are_rounded_up(text, bytes_):
    assert quantity.whole(text) == bytes_


@given(st.integers(0, 2**40), st.sampled_from(["", "k", "Ki", "M", "Mi", "m"]))
def test_the_whole_is_the_least_integer_that_is_not_below_the_value(number, suffix):
    text = f"{number}{suffix}"
    exact = quantity.parse(text)
    assert quantity.whole(text) - 1 < exact <= quantity.whole(text)
