"""A small run of random policies and requests against a real API server; `native_pairs.py` makes long ones."""

from __future__ import annotations

from pathlib import Path

import native_pairs


def test_the_compiled_policies_say_what_the_oracle_says(tmp_path: Path) -> None:
    found = list(native_pairs.played(native_pairs.drawn(5, 40, seed=3), tmp_path))
    assert len(found) >= 60
    assert {str(each.attempt.expect) for each in found} == {"allow", "deny", "change"}
    assert not [(each.attempt.id, each.wrong, each.message) for each in found if each.wrong]
