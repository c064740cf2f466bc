"""Objects of more entries than may be judged are told apart, whatever their shape."""

from __future__ import annotations

import pytest

from casemate.admission.size import MOST_ENTRIES, is_too_large


def nested(levels: int) -> object:
    found: object = 0
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("value", "too_large"),
    [
        (None, False),
        ({}, False),
        ([0] * MOST_ENTRIES, False),
        ([0] * (MOST_ENTRIES + 1), True),
        ({str(each): 0 for each in range(MOST_ENTRIES + 1)}, True),
        ([[0, 0, 0]] * (MOST_ENTRIES // 4 + 1), True),
        (nested(MOST_ENTRIES + 1), True),
    ],
)
def test_entries_of_all_lists_and_mappings_count(value: object, too_large: bool) -> None:
    assert is_too_large(value) is too_large
