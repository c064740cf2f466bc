"""Versions, as programs tell them."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.engine.install.found import parse_version, prepare_gvisor, program_version
from casemate.engine.paths import EnginePaths

SAID = [
    ("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev", "1.1.5+ds1"),
    ("crun version 1.8.1\ncommit: f8a096be", "1.8.1"),
    ("runsc version v0.0.0-20260701204157-69c2d17aea96\nspec: 1.2.1", "0.0.0-20260701204157-69c2d17aea96"),
    ("runsc version release-20260601.0\nspec: 1.1.0-rc.1", "release-20260601.0"),
    ("casemate-wasm 1 (wazero 1.12.0)", "1.12.0"),
    ("youki version: 0.7.0", "0.7.0"),
    ("", ""),
]


@pytest.mark.parametrize(("said", "version"), SAID)
def test_a_version_is_read_from_the_first_line(said: str, version: str) -> None:
    assert parse_version(said) == version


def test_a_program_that_is_not_there_has_no_version(tmp_path: Path) -> None:
    assert program_version(tmp_path / "none") == ""


def test_gvisor_is_started_by_links_that_a_new_version_replaces(tmp_path: Path) -> None:
    class Elsewhere(EnginePaths):
        @property
        def root(self) -> Path:
            return tmp_path

    for version in ("1", "2"):
        name = prepare_gvisor(
            Elsewhere(), *(Path(f"/cache/{version}/{part}") for part in ("launcher", "shim", "runsc"))
        )
    assert name.name == "containerd-shim-runsc-v1"
    assert name.readlink() == Path("/cache/2/launcher")
    assert sorted(each.name for each in name.parent.iterdir()) == ["containerd-shim-runsc-v1", "runsc", "shim"]
