"""A few rounds of the soak that `benchmarks/prove_soak.py` runs for hours: honest handlers, under load, are proven."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import ENGINE

pytestmark = pytest.mark.root

SOAK = Path(__file__).parents[3] / "benchmarks" / "prove_soak.py"
ROUNDS = 5


def test_no_honest_handler_is_called_a_liar_under_load(engine: str) -> None:
    done = subprocess.run(
        [sys.executable, SOAK, "--engine", ENGINE, "--rounds", str(ROUNDS)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["reasons"] == []
    assert set(map(json.dumps, found["results"].values())) == {json.dumps({"proven": ROUNDS})}
    assert done.returncode == 0
