"""Drift: what is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.prove.configuration import Configured
from casemate.prove.watch import Looked

HERE = {"runsc": Configured("runsc", None, "sha256:1")}


@pytest.mark.parametrize(
    ("known", "classes", "changed"),
    [
        (HERE, {"gvisor": "runsc"}, ()),
        (HERE, {"gvisor": "runc"}, ("class gvisor",)),
        (HERE, {"gvisor": ""}, ("class gvisor",)),
        ({"runsc": Configured("runsc", None, "sha256:2")}, {"gvisor": "runsc"}, ("runsc: configuration",)),
        ({}, {"gvisor": "runsc"}, ("runsc: configuration",)),
    ],
    ids=["nothing", "a class", "a class that is gone", "a configuration", "a handler that is gone"],
)
def test_a_change_is_noticed_once(
    known: dict[str, Configured], classes: dict[str, str], changed: tuple[str, ...]
) -> None:
    looked = Looked()
    looked.differences(HERE, {"gvisor": "runsc"})
    assert looked.differences(known, classes) == changed
    assert looked.differences(known, classes) == ()


def test_a_program_of_other_bytes_is_noticed(tmp_path: Path) -> None:
    program = tmp_path / "runsc"
    program.write_bytes(b"one")
    known = {"runsc": Configured("runsc", program, "sha256:1")}
    looked = Looked()
    looked.differences(known, {})
    program.write_bytes(b"two")
    assert looked.differences(known, {}) == (f"runsc: program {program}",)
