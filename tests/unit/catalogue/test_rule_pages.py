"""The pages made from the catalogue: as committed, they are what it says."""

from __future__ import annotations

from pathlib import Path

from casemate import catalogue
from casemate.catalogue import document

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def test_the_committed_pages_are_current() -> None:
    """If this fails: python -m casemate.catalogue.document docs/reference."""
    stale = [
        name
        for name, text in document.pages(catalogue.load()).items()
        if not (REFERENCE / name).exists() or (REFERENCE / name).read_text(encoding="utf-8") != text
    ]
    assert stale == []


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    committed = {path.stem for path in (REFERENCE / "rules").glob("*.md")} - {"README"}
    assert committed == {rule.id for rule in catalogue.load().rules}


def test_pages_of_rules_that_are_no_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "CM999.md").write_text("old")
    document.write(catalogue.load(), tmp_path)
    assert not (tmp_path / "rules" / "CM999.md").exists()
    assert (tmp_path / "rules" / "CM101.md").exists()


def test_a_page_says_why_what_to_do_and_where_it_matters() -> None:
    rule = next(rule for rule in catalogue.load().rules if rule.id == "CM101")
    page = document.rule_page(rule)
    assert rule.why in page
    assert rule.fix in page
    assert "| the shared kernel (runc, crun, youki) | **matters** |" in page
    assert "| a sandbox (gVisor) | is reduced |" in page
