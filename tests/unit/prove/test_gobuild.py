"""What Go notes in programs, read from programs of this machine and from broken ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from casemate.prove.gobuild import read_build


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Go program, built here."""
    if not shutil.which("go"):
        pytest.skip("Go is not installed")
    folder = tmp_path_factory.mktemp("go")
    (folder / "go.mod").write_text("module example.com/small\n\ngo 1.22\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    subprocess.run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "small", "."], cwd=folder, check=True)
    return folder / "small"


def test_package_module_and_go_are_read(program: Path) -> None:
    build = read_build(program)
    assert build
    assert (build.path, build.module) == ("example.com/small", "example.com/small")
    assert build.version == "(devel)"
    assert build.go.startswith("1.")


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 100])
def test_what_is_no_go_program_has_no_build(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert read_build(file) is None


def test_a_program_of_another_language_has_no_build() -> None:
    assert read_build(Path(sys.executable).resolve()) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=some.integers(0, 5000), byte=some.integers(0, 255))
def test_a_damaged_program_is_no_crash(program: Path, tmp_path: Path, place: int, byte: int) -> None:
    damaged = bytearray(program.read_bytes())
    note = damaged.find(b"\xff Go buildinf:")
    damaged[(note - 100 + place % 300) if place % 2 else place % 64] = byte
    file = tmp_path / "damaged"
    file.write_bytes(damaged)
    read_build(file)
