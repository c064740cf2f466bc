"""Every kept input goes through all that it has to; a short fuzz run finds nothing new. The long run is `fuzz.py`."""

from __future__ import annotations

import random
from pathlib import Path

import fuzz
import pytest
from fuzz_targets import TARGETS, every_seed

KEPT = [pytest.param(name, file, id=f"{name}/{file.name}") for name, file in every_seed()]


@pytest.mark.parametrize(("target", "file"), KEPT)
def test_a_kept_input_breaks_nothing(target: str, file: Path) -> None:
    fuzz.trial(TARGETS[target], file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_seconds_of_changed_inputs_break_nothing(target: str) -> None:
    run = fuzz.fuzz(3, random.Random(4), [target])
    assert not run.broke
    assert run.rounds[target]


@pytest.mark.parametrize("target", TARGETS)
def test_some_seed_of_each_target_gets_to_the_end(target: str) -> None:
    chosen = TARGETS[target]
    assert any(chosen.trial(seed) for seed in chosen.seeds())
