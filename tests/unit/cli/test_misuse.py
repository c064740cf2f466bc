"""What the command line says when it is used wrongly, interrupted, or not read to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from casemate.cli.main import run_command

_CASEMATE = (sys.executable, "-c", "from casemate.cli.main import main; main()")
_MORE_THAN_A_PIPE_HOLDS = b"# as long as somebody reads\n" * 10_000


@pytest.mark.parametrize(
    ("line", "what", "whose"),
    [
        ("prove vrify proof.json", 'unexpected argument "vrify"', "prove"),
        ("prove verify one two --key k", 'unexpected argument "two"', "prove verify"),
        ("policy explain --policy p.yaml", "--object is missing", "policy explain"),
        ("prove verify --key k", "FILE is missing", "prove verify"),
        ("prove --runtime", 'Command "prove" parameter --runtime requires an argument.', "prove"),
        ("policy check -o yaml", 'Invalid value "yaml" for -o.', "policy check"),
        ("node plan --handlr crun", "Unknown option: --handlr. Did you mean --handler?", "node plan"),
        ("policy expalin", 'Unknown command "expalin". Did you mean "explain"?', "policy"),
        ("polciy", 'Unknown command "polciy". Did you mean "policy"?', ""),
    ],
)
def test_a_wrong_command_line_names_what_is_wrong_and_the_help_of_that_very_command(
    line: str, what: str, whose: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(line.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"casemate: {what}")
    assert said.endswith(f"\n  → {' '.join(['casemate', *whose.split(), '--help'])}\n")


def test_an_interrupted_command_says_so() -> None:
    with subprocess.Popen([*_CASEMATE, "policy", "check", "-"], stdin=-1, stdout=-1, stderr=-1) as running:
        assert running.stdin
        running.stdin.write(_MORE_THAN_A_PIPE_HOLDS)  # returns when it has begun to read
        running.send_signal(signal.SIGINT)
        assert running.communicate() == (b"", b"casemate: interrupted\n")
    assert running.returncode == 130


@pytest.mark.parametrize("arguments", [["--help"], ["catalogue", "show"]])
def test_a_table_that_nobody_read_is_not_told_as_a_finding(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([*_CASEMATE, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("line", ["run -f p.yaml --timeout -1", "compare x --timeout nan", "down --timeout -0.1"])
def test_a_wait_that_is_no_length_of_time_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(line.split()) == 2
    assert "for --timeout. It is no length of time: give seconds from 0 on.\n" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["doctor", "plan"])
def test_a_configuration_that_is_not_there_is_not_taken_for_an_empty_one(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["node", command, "--config", "/no/such.toml"]) == 2
    assert capsys.readouterr().err.startswith("casemate: --config /no/such.toml: no such file\n  → ")


@pytest.mark.parametrize(
    "line",
    ["policy explain --policy - --object -", "policy impact --policy - -", "run -f - --policy -", "run -f - -f -"],
)
def test_standard_input_is_not_read_twice(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(line.split()) == 2
    assert capsys.readouterr().err == "casemate: -: standard input is named twice\n  → put one of them into a file\n"


def test_nobody_at_a_terminal_waits_for_policies_that_were_not_named() -> None:
    terminal, user = os.openpty()
    ended = subprocess.run(
        [*_CASEMATE, "policy", "check"], stdin=user, capture_output=True, text=True, check=False, timeout=60
    )
    os.close(terminal)
    os.close(user)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "casemate: no policies\n  → name files or folders, or - for standard input\n"
