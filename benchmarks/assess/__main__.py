"""`python -m benchmarks.assess`: measure, print ratios, and write docs/benchmarks-assess.md."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from pathlib import Path
from tempfile import TemporaryDirectory

import benchmarks.assess as method
from benchmarks.assess import files, tools
from benchmarks.assess.measure import Measured, measure

SHAPES = 400
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-assess.md"
_HEADER = """\
| tool | workloads | time, s | processor, s | memory, MiB | time ÷ casemate's | processor ÷ casemate's |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assess", description=method.__doc__)
    parser.add_argument("--workloads", type=int, default=10_000)
    parser.add_argument("--small", type=int, default=500, help="workloads of the set that checkov reads too")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    given = parser.parse_args()
    peers = [] if given.no_peers else [tools.kube_score()]
    slow = [] if given.no_peers else [tools.checkov()]
    small = _measured([tools.casemate(), *peers, *slow], given.small, SHAPES, given.runs)
    both = [tools.casemate(), tools.casemate("table"), *peers]
    large = _measured(both, given.workloads, SHAPES, given.runs)
    different = _measured(both, given.workloads, given.workloads, given.runs)
    text = page(small, large, different)
    print(text)
    if not given.no_peers:
        PAGE.write_text(text)


def _measured(of: list[tools.Tool], workloads: int, shapes: int, runs: int) -> list[Measured]:
    with TemporaryDirectory(prefix="casemate-benchmark-") as folder:
        written = files.write(Path(folder), workloads, shapes)
        return [measure(each, Path(folder), written, workloads, 1 if each.name == "checkov" else runs) for each in of]


def page(small: list[Measured], large: list[Measured], different: list[Measured]) -> str:
    """The page of the documentation."""
    _, _, rules = (method.__doc__ or "").partition("Method:\n\n")
    python = f"Python {platform.python_version()}"
    day = datetime.datetime.now(tz=datetime.UTC).date()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    versions = ", ".join(dict.fromkeys(f"{each.tool} {each.version}" for each in small))
    return f"""# Benchmarks of the assessment

Made by `python -m benchmarks.assess`; do not edit by hand.

Measured on {day}, on one of {os.cpu_count()} processors, {python}; {versions}.
Load averages at the end: {load}. Above 1 for each processor, others were at work: compare the processors' times then.

## {large[0].workloads:,} workloads of charts

{_table(large)}

## {different[0].workloads:,} workloads, all different

{_table(different)}

## {small[0].workloads:,} workloads, all three tools

{_table(small)}

## Method

{rules.strip()}
"""


def _table(rows: list[Measured]) -> str:
    lines = [_row(each, rows[0]) for each in rows]
    return "\n".join([_HEADER, *lines])


def _row(row: Measured, ours: Measured) -> str:
    ratios = row.seconds / ours.seconds, row.processor_seconds / ours.processor_seconds
    took = f"{row.seconds} | {row.processor_seconds} | {row.mebibytes:.0f}"
    return f"| {row.tool} | {row.workloads:,} | {took} | {ratios[0]:.1f} | {ratios[1]:.1f} |"


if __name__ == "__main__":
    main()
