"""Programs that are not what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.prove.gobuild import GoBuild
from casemate.prove.programs import Said, examine, unlike_built
from casemate.prove.tasks import Digests

RUNC = "github.com/opencontainers/runc"
GVISOR = "gvisor.dev/gvisor"
PINNED, SUM = "v0.0.0-20260701204157-69c2d17aea96", "h1:LZXOf4NwvAwUy/eI8P+Y3DUdYLyaCEDNPEjsL2OP2ro="

HONEST = [
    (Said("1.3.3", "v1.3.3-0-gd842d771", "1.2.1"), GoBuild(RUNC, RUNC, "v1.3.3", "", "d842d7719c01", "1.24.9")),
    (Said("1.1.5+ds1", "1.1.5+ds1-1+deb12u1", "1.0.2-dev"), GoBuild(RUNC, "", "", "", "", "1.19.8")),
    (Said("0.0.0-20260701204157-69c2d17aea96"), GoBuild(f"{GVISOR}/runsc", GVISOR, PINNED, SUM, "", "1.26")),
    (Said("1.12.0"), GoBuild("casemate.dev/native/wasm", "casemate.dev/native", "(devel)", "", "", "1.26")),
]
LIARS = [
    (Said("1.3.3"), GoBuild(RUNC, RUNC, "v1.1.5", "", "", "1.24"), "was built from 1.1.5"),
    (Said("1.3.3", "v1.3.3-0-gd842d771"), GoBuild(RUNC, RUNC, "(devel)", "", "f19387a6", "1.24"), "of commit"),
    (Said("1.3.3", "", "1.2.1"), GoBuild(RUNC, "", "", "", "", "1.19.8"), "not built with Go"),
    (Said("1.3.3", "", "1.0.2-dev"), GoBuild(RUNC, "", "", "", "", "1.24"), "specification"),
    (Said("0.0.0-2027"), GoBuild(f"{GVISOR}/runsc", GVISOR, "v0.0.0-2027", SUM, "", "1.26"), "checksum"),
    (Said(PINNED), GoBuild(f"{GVISOR}/runsc", GVISOR, PINNED, "h1:other=", "", "1.26"), "checksum"),
]


@pytest.mark.parametrize(("said", "build"), HONEST)
def test_what_fits_together_is_no_lie(said: Said, build: GoBuild) -> None:
    assert list(unlike_built(said, build)) == []


@pytest.mark.parametrize(("said", "build", "words"), LIARS)
def test_what_was_built_otherwise_than_it_says_is_a_lie(said: Said, build: GoBuild, words: str) -> None:
    assert any(words in each for each in unlike_built(said, build))


def test_a_script_is_no_program_to_trust(tmp_path: Path) -> None:
    script = tmp_path / "runc"
    script.write_text('#!/bin/sh\necho "runc version 9.9.9"\n')
    script.chmod(0o755)
    found = examine(script, Digests())
    assert found
    assert found.version == "9.9.9"
    assert "script" in found.lie


def test_a_program_that_is_not_there_is_not_examined(tmp_path: Path) -> None:
    assert examine(tmp_path / "none", Digests()) is None
