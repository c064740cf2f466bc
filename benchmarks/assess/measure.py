"""Time and memory of whole processes on one processor."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.assess.tools import Tool

# Findings, and what could not be looked at, are results and not faults.
_FINE = (0, 1, 4)


@dataclass(frozen=True)
class Measured:
    """What one tool took for one set of files."""

    tool: str
    version: str
    workloads: int
    seconds: float
    processor_seconds: float
    mebibytes: float


def measure(tool: Tool, folder: Path, files: Sequence[Path], workloads: int, runs: int) -> Measured:
    """The fastest of several runs, with the largest memory."""
    made = [_run(tool.command(folder, files)) for _ in range(runs)]
    fastest = min(made)
    return Measured(
        tool=tool.name,
        version=tool.version,
        workloads=workloads,
        seconds=round(fastest[0], 2),
        processor_seconds=round(min(each[1] for each in made), 2),
        mebibytes=round(max(each[2] for each in made), 1),
    )


def _run(command: list[str]) -> tuple[float, float, float]:
    began = time.perf_counter()
    environment = {**os.environ, "LOG_LEVEL": "ERROR", "GOMAXPROCS": "1", "ANSI_COLORS_DISABLED": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        preexec_fn=_on_one_processor,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in _FINE:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _on_one_processor() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
