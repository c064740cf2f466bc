"""Where the output goes is the caller's affair: a full disk, a reader that left, and a closed stream end properly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CASEMATE = (sys.executable, "-c", "from casemate.cli.main import main; main()")
_MUCH = ("catalogue", "show", "escapes", "-o", "json")


@pytest.mark.parametrize("arguments", [_MUCH, ("explain", "gvisor"), ("catalogue", "check")])
def test_a_full_disk_is_said_without_a_traceback(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*_CASEMATE, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("casemate: No space left on device\n")
    assert "Traceback" not in ended.stderr


def test_a_reader_that_went_away_is_not_told_that_all_is_well() -> None:
    with subprocess.Popen([*_CASEMATE, *_MUCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.read(1)
        running.stdout.close()
        assert (running.stderr.read(), running.wait()) == (b"", 141)


def test_a_closed_stream_is_no_mistake() -> None:
    ended = subprocess.run(
        ["sh", "-c", '"$@" >&- 2>&-', "sh", *_CASEMATE, "explain", "gvisor"], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
