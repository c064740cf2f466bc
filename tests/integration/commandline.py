"""The command line as its users call it, on the tests' own engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ENGINE = "citest"
CASEMATE = Path(sys.executable).with_name("casemate")

Done = subprocess.CompletedProcess[str]
Casemate = Callable[..., Done]


def casemate(*arguments: str | Path, timeout: float = 120, stdin: str | None = None, **environment: str) -> Done:
    """What `casemate ARGUMENTS` wrote and how it ended; never raises for its exit code."""
    return subprocess.run(
        [CASEMATE, *map(str, arguments)],
        env={**os.environ, "CASEMATE_ENGINE": ENGINE, "NO_COLOR": "1", **environment},
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
