"""Processor time and memory of a process with its children."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """The process, and whatever it has started that still runs."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from tree(int(child))


def processor_seconds(pid: int) -> float:
    """What all of them have taken so far."""
    return sum(_ticks(each) for each in tree(pid)) / _TICK


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def mebibytes(pid: int) -> float:
    """Resident memory; what several share counts once."""
    return sum(_kibibytes(each) for each in tree(pid)) / 1024


def _kibibytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
