"""Catalogues of users: what they may change, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate import catalogue
from casemate.catalogue import written
from casemate.catalogue.rows import Criterion, Rule
from casemate.errors import InputError
from casemate.model.boundary import Boundary

CRITERION = """\
criteria:
- id: OWN1
  title: Payments
  when: {label: [team=payments]}
  points: 20
  force: vm
  text: it moves money
  source: our risk register
  date: 2026-11-01
  certainty: proposed
"""
MISTAKES = {
    "a table that is none": ("runtime: []\n", ":1", "no table is named `runtime`"),
    "a list where tables belong": ("- id: a\n", ":1", "a catalogue is a mapping from tables to rows"),
    "no YAML": ("criteria: [\n", ":2", "not YAML"),
    "a field that is none": (CRITERION.replace("points:", "point:"), ":5", "unknown field `point`"),
    "a wrong type": (CRITERION.replace("points: 20", "points: many"), ":5", "Expected `int`"),
    "a field that is missing": (
        CRITERION.replace("  text: it moves money\n", ""),
        ":2",
        "missing required field `text`",
    ),
    "points beyond the scale": (CRITERION.replace("points: 20", "points: 200"), ":5", "points are from -100 to 100"),
    "a boundary that is none": (CRITERION.replace("vm", "strong"), ":6", "`strong` is no boundary"),
    "a predicate that is none": (CRITERION.replace("label:", "lable:"), ":4", "no predicate is named `lable`"),
    "a date that is none": (CRITERION.replace("11-01", "13-01"), ":9", "2026-13-01 is no date"),
    "a certainty that is none": (CRITERION.replace("proposed", "sure"), ":10", "Invalid enum value 'sure'"),
    "no source": (CRITERION.replace("our risk register", "''"), ":8", "a fact needs a source"),
    "an id with spaces": (CRITERION.replace("OWN1", "OWN 1"), ":2", "an id is letters, digits, dots and dashes"),
    "the same id twice": (CRITERION + CRITERION.partition("\n")[2], ":11", "`OWN1` stands twice in this file"),
    "another table's id": (CRITERION.replace("OWN1", "CM101"), ":2", "`CM101` is an id of table hardening"),
    "a key twice": (CRITERION + "  title: again\n", ":11", "`title` stands twice"),
    "an alias": ("criteria: &a []\nfits: *a\n", ":2", "aliases are not for catalogues"),
    "a tag": ("criteria: !!python/object:os.system []\n", ":1", "is not for catalogues"),
    "two documents": ("criteria: []\n---\nfits: []\n", ":2", "more than one document"),
    "endless nesting": ("criteria: " + "[" * 5000, ":1", "nested more than 20 levels deep"),
}


def _file(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_row_is_added(tmp_path: Path) -> None:
    row = catalogue.load([_file(tmp_path, CRITERION)]).row("own1")
    assert isinstance(row, Criterion)
    assert (row.points, row.force) == (20, Boundary.VM)


def test_a_users_row_takes_the_place_of_the_one_with_its_id(tmp_path: Path) -> None:
    own = catalogue.load([_file(tmp_path, CRITERION.replace("OWN1", "N6"))])
    shipped = catalogue.load()
    assert [row.title for row in own.criteria if row.id == "N6"] == ["Payments"]
    assert len(own.criteria) == len(shipped.criteria)
    assert [row.title for row in shipped.criteria if row.id == "N6"] != ["Payments"]


def test_of_several_files_the_last_counts(tmp_path: Path) -> None:
    first = _file(tmp_path, CRITERION)
    second = tmp_path / "second.yaml"
    second.write_text(CRITERION.replace("Payments", "Wages"), encoding="utf-8")
    row = catalogue.load([first, second]).row("OWN1")
    assert row is not None
    assert row.title == "Wages"


def test_a_users_runtime_is_known_by_its_names(tmp_path: Path) -> None:
    text = """\
runtimes:
- id: ours
  title: Our runtime
  classes: [ours-*]
  handlers: [ours]
  boundary: sandbox
  families: [gvisor]
  source: us
  date: 2026-11-01
  certainty: measured
"""
    runtimes = catalogue.load([_file(tmp_path, text)]).runtimes
    assert runtimes.boundary_of_class("ours-fast") is Boundary.SANDBOX
    assert runtimes.boundary_of_handler("runsc") is Boundary.SANDBOX


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, mistake: str) -> None:
    text, line, what = MISTAKES[mistake]
    path = _file(tmp_path, text)
    with pytest.raises(InputError) as caught:
        catalogue.load([path])
    assert what in caught.value.what
    assert caught.value.where == f"{path}{line}"


def test_a_misspelt_field_has_a_near_miss(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        catalogue.load([_file(tmp_path, CRITERION.replace("points:", "point:"))])
    assert caught.value.fix == "did you mean `points`?"


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        catalogue.load([tmp_path / "none.yaml"])


def test_what_is_shown_can_be_loaded_again(tmp_path: Path) -> None:
    """Every row of every table survives being written and read."""
    shipped = catalogue.load()
    text = ""
    for table, rows in shipped.tables().items():
        text += f"{table}:\n" + "".join(written.as_yaml(row) for row in rows)
    assert catalogue.load([_file(tmp_path, text)]) == shipped


def test_rules_are_the_findings_of_both_tables() -> None:
    loaded = catalogue.load()
    assert all(isinstance(rule, Rule) for rule in loaded.rules)
    assert {"CM101", "CM801"} <= {rule.id for rule in loaded.rules}
