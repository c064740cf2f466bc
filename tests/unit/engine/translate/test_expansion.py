"""References expand as Kubernetes' own tables of cases say (third_party/forked/golang/expansion)."""

from __future__ import annotations

import pytest

from casemate.engine.translate.expansion import expand, references

VARIABLES = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}
CASES = [
    ("$(VAR_A)", "A"),
    ("___$(VAR_B)___", "___B___"),
    ("$(VAR_A)-1", "A-1"),
    ("$(VAR_A)_$(VAR_B)", "A_B"),
    ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"),
    ("$$(VAR_A)_$$(VAR_B)", "$(VAR_A)_$(VAR_B)"),
    ("f000-$$VAR_A", "f000-$VAR_A"),
    ("foo\\$(VAR_C)bar", "foo\\Cbar"),
    ("foo\\\\$(VAR_C)bar", "foo\\\\Cbar"),
    ("$(VAR_REF)", "$(VAR_A)"),
    ("%%$(VAR_A)--$(VAR_B)%%", "%%A--B%%"),
    ("foo$(VAR_EMPTY)bar", "foobar"),
    ("$(VAR_A", "$(VAR_A"),
    ("$($(VAR_B))--", "$($(VAR_B))--"),
    ("$VAR_A", "$VAR_A"),
    ("${VAR_A}", "${VAR_A}"),
    ("VAR_A)", "VAR_A)"),
    ("$(DOOM)", "$(DOOM)"),
    ("$$$$$$$(VAR_A)", "$$$A"),
    ("$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"),
    ("$", "$"),
    ("$$", "$"),
    ("", ""),
    ("\n", "\n"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_reference_expands(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


def test_an_escaped_reference_refers_to_nothing() -> None:
    assert references("$(A)/$$(B)/$(C)") == ("A", "C")
