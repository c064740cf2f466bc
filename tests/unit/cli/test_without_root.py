"""Commands that need root say so, with what to type, to whoever is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from casemate.cli.main import run_command

_POD = """apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: "x:1"}]}
"""


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("run -f pod.yaml", "run"),
        ("run --explain -f pod.yaml", "run"),
        ("compare -f pod.yaml", "compare"),
        ("ps", "ps"),
        ("logs p", "logs"),
        ("exec p -- true", "exec"),
        ("down", "down"),
        ("engine start", "engine start"),
        ("engine status", "engine status"),
        ("engine stop", "engine stop"),
        ("prove", "prove"),
        ("prove publish --cri /x --sign k --node-name n", "prove publish"),
        ("node apply", "node apply"),
        ("node revert", "node revert"),
    ],
)
def test_who_is_not_root_is_told_what_to_type(
    line: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pod.yaml").write_text(_POD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert run_command(line.split()) == 3
    assert capsys.readouterr().err.endswith(f"\n  → sudo casemate {command}\n")
