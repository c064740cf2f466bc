"""What an install would do, and when it cannot."""

from __future__ import annotations

from importlib import resources

import pytest

from casemate.engine.install import apply, tools
from casemate.engine.install.plan import Part, Plan, Source, look
from casemate.errors import MissingError

PACKAGE = Part("runc", Source.PACKAGE, "", "", present=False)
OURS = Part("native", Source.OURS, "1", "", present=False)


def test_every_part_says_why_and_where_from() -> None:
    parts = look().parts
    assert all(part.why and part.name for part in parts)
    assert {part.source for part in parts} == set(Source)
    assert all(part.version for part in parts if part.source is not Source.PACKAGE)


def test_what_is_present_is_not_missing() -> None:
    there = Part("crun", Source.PACKAGE, "", "", present=True)
    assert Plan((PACKAGE, there)).missing == (PACKAGE,)


@pytest.mark.parametrize(("part", "word"), [(PACKAGE, "apt-get"), (OURS, "Go is not installed")])
def test_a_machine_that_cannot_be_helped_is_told_before_anything_is_done(
    part: Part, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(tools, "search_path", lambda: "/nonexistent")
    with pytest.raises(MissingError, match=word):
        apply.check_possible(Plan((part,)))


def test_a_plan_without_gaps_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "search_path", lambda: "/nonexistent")
    apply.check_possible(Plan(()))


def test_our_programs_have_sources_that_the_package_carries() -> None:
    source = resources.files("casemate.engine.native")
    for program in tools.native().programs:
        assert source.joinpath(program).is_dir(), program
    assert source.joinpath("go.sum").is_file()


def test_the_version_of_our_programs_is_their_sources() -> None:
    assert len(tools.source_digest("casemate.engine.native")) == 16
    assert tools.native().folder.name == tools.source_digest("casemate.engine.native")


@pytest.mark.parametrize(
    ("version", "too_old"),
    [("go1.19.8", True), ("go1.20", True), ("go1.21.0", False), ("go1.26.8", False), ("devel", False)],
)
def test_a_go_that_can_neither_build_nor_fetch_a_newer_one_is_too_old(version: str, too_old: bool) -> None:
    assert apply.go_is_too_old(version) is too_old
