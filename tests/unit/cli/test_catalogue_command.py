"""`casemate catalogue` at its edge: what is printed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from casemate.cli.main import run_command


def test_the_tables_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["catalogue", "show"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:]] == [
        "runtimes",
        "criteria",
        "profiles",
        "fits",
        "escapes",
        "hardening",
        "leftovers",
    ]


@pytest.mark.parametrize("table", ["runtimes", "criteria", "profiles", "fits", "escapes", "hardening", "leftovers"])
def test_a_table_is_shown_and_given_as_json(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["catalogue", "show", table]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert run_command(["catalogue", "show", table, "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["apiVersion"], document["kind"]) == ("casemate.dev/v1alpha1", "Catalogue")
    assert {item["table"] for item in document["items"]} == {table}
    assert len(lines) > len(document["items"])


def test_a_row_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["catalogue", "show", "cve-2026-31431"]) == 0
    assert capsys.readouterr().out.startswith("- id: CVE-2026-31431\n  title: Copy Fail")


def test_a_misspelt_name_has_a_near_miss(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["catalogue", "show", "gvizor"]) == 2
    assert "did you mean gvisor?" in capsys.readouterr().err


def test_a_wrong_catalogue_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("criteria:\n- id: A\n  when: nothing-known\n")
    assert run_command(["catalogue", "check", str(path)]) == 2
    assert f"{path}:3: criteria, A: no predicate is named `nothing-known`" in capsys.readouterr().err


def test_a_right_catalogue_passes_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("fits: []\n")
    assert run_command(["catalogue", "check", str(path)]) == 0
    assert "no mistakes" in capsys.readouterr().out


def test_ones_own_rows_are_shown_beside_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "runtimes:\n- {id: ours, title: Ours, boundary: vm, classes: [ours], source: us, date: 2026-11-01,"
        " certainty: measured}\n"
    )
    assert run_command(["catalogue", "show", "ours", "--catalogue", str(path), "-o", "json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (item["id"], item["boundary"]) == ("ours", "vm")
