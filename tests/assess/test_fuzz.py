"""Every kept input goes through to every report; a short fuzz run finds nothing new. The long run is `fuzz.py`."""

from __future__ import annotations

import random

import fuzz
import pytest

KEPT = {file.name: file for file in sorted(fuzz.SEEDS.iterdir())}


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_input_breaks_nothing(name: str) -> None:
    fuzz.trial(KEPT[name].read_bytes())


def test_ten_seconds_of_changed_inputs_break_nothing() -> None:
    rounds, reported, broke = fuzz.fuzz(10, random.Random(4))
    assert not broke
    assert reported > rounds / 10
