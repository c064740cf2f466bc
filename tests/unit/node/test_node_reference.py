"""The reference page has every check, as its row says it."""

from __future__ import annotations

from pathlib import Path

from casemate.node import checks
from casemate.node.handlers import rows

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "node.md").read_text(encoding="utf-8")


def test_every_check_stands_in_the_reference() -> None:
    assert [
        row.id for row in checks.rows() if f"| {row.id} | {row.title.replace('|', chr(92) + '|')} |" not in PAGE
    ] == []


def test_every_handler_stands_in_the_reference() -> None:
    text = PAGE.replace("\n", " ")
    assert [name for name in rows() if f"{name}," not in text and f"{name}." not in text] == []
