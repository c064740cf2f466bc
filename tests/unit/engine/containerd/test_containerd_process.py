"""What a containerd says about itself, and processes that end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from casemate.engine.containerd.process import answers, end, parse_version
from casemate.errors import RuntimeFault

SAID = [
    ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", (1, 6, 20)),
    ("containerd github.com/containerd/containerd/v2 v2.4.2 0123456789abcdef", (2, 4, 2)),
    ("containerd github.com/containerd/containerd/v2 2.4.2+unknown", (2, 4, 2)),
    ("containerd containerd.io v2.3.0-rc.1", (2, 3, 0)),
]


@pytest.mark.parametrize(("said", "version"), SAID)
def test_a_version_is_found_in_what_containerd_says(said: str, version: tuple[int, ...]) -> None:
    assert parse_version(said) == version


def test_a_containerd_without_a_version_is_a_fault() -> None:
    with pytest.raises(RuntimeFault, match="does not tell its version"):
        parse_version("panic: no")


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    begun = time.monotonic()
    end(child.pid, 0.2)
    assert child.wait() == -signal.SIGKILL
    assert time.monotonic() - begun < 5


def test_ending_a_process_that_is_gone_does_nothing() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    end(child.pid, 1)
    assert child.wait() == 0
    end(child.pid, 1)


def test_a_socket_that_nobody_serves_tells_why(tmp_path: Path) -> None:
    assert "No such file" in answers(tmp_path / "none.sock")
