"""casemate, as a user calls it, and what its supervisor costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from casemate.engine.paths import EnginePaths
from casemate.engine.supervise import process

CASEMATE = Path(sys.executable).with_name("casemate")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """`engine` and `command` are seconds until the last Pod ran; `memory` bytes and `cpu` seconds of the supervisor."""

    engine: float
    command: float
    memory: int
    cpu: float


def start(manifest: Path, paths: EnginePaths) -> Cost:
    """Run the manifest, measure, and take it down."""
    pid = process.running(paths)
    assert pid, "the supervisor does not run"
    memory, cpu = proportional_memory(pid), cpu_seconds(pid)
    began = time.monotonic()
    try:
        result = call("run", "-f", str(manifest), "--name", "bench", "--timeout", "600", "-o", "json", paths=paths)
        command = time.monotonic() - began
        engine = max(item["startSeconds"] for item in json.loads(result)["items"])
        grown = proportional_memory(pid) - memory
    finally:
        call("down", "bench", paths=paths)
    return Cost(engine, command, grown, cpu_seconds(pid) - cpu)


def call(*arguments: str, paths: EnginePaths) -> str:
    """What `casemate ARGUMENTS` printed. Raises when it fails."""
    environment = {**os.environ, "CASEMATE_ENGINE": paths.name}
    done = subprocess.run([CASEMATE, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"casemate {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def proportional_memory(pid: int) -> int:
    """PSS of a process in bytes: its own pages, and its share of those it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
