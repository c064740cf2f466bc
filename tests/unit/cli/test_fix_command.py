"""`casemate assess --fix` from the outside: what is printed, what is written, and what is left alone."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from casemate.cli.main import run_command

BEFORE = """\
# the agent
apiVersion: v1
kind: Pod
metadata:
  name: agent   # ours
  labels: {casemate.dev/need: sandbox}
spec:
  containers:
  - {name: main, image: "example/agent:1"}
"""
AFTER = BEFORE.replace("spec:\n", "spec:\n  runtimeClassName: gvisor\n")
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:   {name: c}\n"
RENDER = ["assess", "-", "--fix", "render", "--consent", "all"]


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    file = tmp_path / "pod.yaml"
    file.write_text(f"{CONFIG}---\n{BEFORE}")
    return file


def with_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_diff_shows_and_changes_nothing(pod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["assess", str(pod), "--fix", "diff", "--consent", "all"]) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines()[2:] if line[0] in "+-"] == ["+  runtimeClassName: gvisor"]
    assert pod.read_text() == f"{CONFIG}---\n{BEFORE}"


def test_write_changes_the_file_and_then_has_nothing_to_do(pod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["assess", str(pod), "--fix", "write", "--consent", "all"]
    assert run_command(command) == 0
    assert pod.read_text() == f"{CONFIG}---\n{AFTER}"
    assert f"wrote {pod}" in capsys.readouterr().err
    assert run_command(command) == 0
    assert run_command(["assess", str(pod)]) == 0


def test_kustomize_gets_a_component(pod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["assess", str(pod), "--fix", "kustomize", "--consent", "all"]) == 0
    (patch,) = yaml.safe_load(capsys.readouterr().out)["patches"]
    assert yaml.safe_load(patch["patch"])["spec"] == {"runtimeClassName": "gvisor"}


def test_what_wants_consent_is_left_alone_and_said(pod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pod.write_text(BEFORE.replace("need: sandbox", "need: hardened"))
    assert run_command(["assess", str(pod), "--fix", "diff"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "left alone: Pod /agent: something behaves differently then, which wants consent: non-root" in printed.err
    assert run_command(["assess", str(pod), "--fix", "diff", "--consent", "non-root"]) == 1
    both = ["--consent", "non-root", "--consent", "capabilities-dropped"]
    assert run_command(["assess", str(pod), "--fix", "diff", *both]) == 0


def test_a_post_renderer_gives_everything_back(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with_input(monkeypatch, f"{CONFIG}---\n{BEFORE}")
    assert run_command(RENDER) == 0
    assert capfdbinary.readouterr().out.decode() == f"{CONFIG}---\n{AFTER}"


def test_a_post_renderer_passes_on_what_it_cannot_fix(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with_input(monkeypatch, BEFORE.replace("need: sandbox", "need: hardened"))
    assert run_command(RENDER[:-2]) == 0
    printed = capfdbinary.readouterr()
    assert printed.out.decode() == BEFORE.replace("need: sandbox", "need: hardened")
    assert b"left alone" in printed.err


@pytest.mark.parametrize("text", [CONFIG, "", "\n---\n"])
def test_a_post_renderer_passes_on_what_has_no_workloads(
    text: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with_input(monkeypatch, text)
    assert run_command(RENDER) == 0
    assert capfdbinary.readouterr().out.decode() == text


def test_standard_input_cannot_be_written_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_input(monkeypatch, BEFORE)
    assert run_command(["assess", "-", "--fix", "write", "--consent", "all"]) == 2
    assert "use --fix render" in capsys.readouterr().err


def test_one_file_that_cannot_be_edited_keeps_all_from_being_written(
    pod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = BEFORE.replace("spec:\n", "spec:\n  <<: &base\n    hostname: h\n")
    (pod.parent / "z.yaml").write_text(twice)
    assert run_command(["assess", str(pod.parent), "--fix", "write", "--consent", "all"]) == 2
    assert "edit it by hand" in capsys.readouterr().err
    assert pod.read_text() == f"{CONFIG}---\n{BEFORE}"
