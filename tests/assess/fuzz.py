"""Bytes to sources to assessment to every report: nothing may end in anything but an answer or casemate's own error.

    python tests/assess/fuzz.py --minutes 30 [--seed 1]

Seeds lie in `seeds/`: manifests of all sorts, and every input that once broke something (named `broke-…`). An input
that breaks something now is written there; keep it. Each round takes a seed and changes bytes, lines, or values of its
YAML.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import yaml

from casemate.catalogue import tables
from casemate.cli.assess import _RENDERERS
from casemate.decide.assess import Assessor
from casemate.errors import CasemateError
from casemate.report.assess_document import Assessment, EscapeText, FailOn, RuleText, judge
from casemate.report.assess_table import table
from casemate.sources.workloads import collect

HERE: Final = Path(__file__).parent
SEEDS: Final = HERE / "seeds"
SLOW_SECONDS: Final = 10.0
_LONGEST: Final = 200_000
_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"---\n",
    b"{",
    b"[",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"<<: *a",
    b"\t",
    b"\r\n",
    b"? ",
    b"|\n",
    b"%YAML 1.1\n",
    b"\xe2\x80\xa8",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x94\x92",
)
_VALUES = (
    b"null",
    b"yes",
    b"0777",
    b"1e999",
    b".nan",
    b"-1",
    b"99999999999999999999",
    b"''",
    b"[]",
    b"{}",
    b"{a: [b]}",
    b"1_000",
    b"0x1f",
    b"2026-01-01",
    b"!!python/object:os.system x",
    b"'\\0'",
    b'"\\uD800"',
    b'"\\x1b[31m"',
    b"<script>alert(1)</script>",
    b"'=cmd()'",
    b"]]>",
    b"a" * 5000,
)
_VALUE = re.compile(rb"(?m)(?<=: )[^\n{}\[\],]+")


def _escaped(html: str) -> None:
    HTMLParser().feed(html)
    if "<script>alert" in html or "<img src=x" in html:
        raise ValueError("markup of a manifest reached the page")


def _no_formulas(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        if any(cell.startswith(("=", "+", "@", "\t")) for cell in row):
            raise ValueError(f"a spreadsheet would execute {row}")


# Whatever a manifest says, each report can be read by what reads such reports.
WELL_FORMED: Final[dict[str, Callable[[str], object]]] = {
    "json": json.loads,
    "sarif": json.loads,
    "junit": ElementTree.fromstring,
    "policyreport": lambda text: list(yaml.safe_load_all(text)),
    "html": _escaped,
    "csv": _no_formulas,
}


class TooSlowError(Exception):
    """An input of a few kilobytes must not take this long."""


def through(data: bytes) -> bool:
    """Take bytes all the way to every report. True when there was something to report."""
    catalogue = tables.load()
    try:
        collected = collect(["-"], io.BytesIO(data))
    except CasemateError as error:
        str(error)
        return False
    assessor = Assessor(catalogue, collected.surroundings)
    items = tuple(assessor.assess(each) for each in collected.workloads)
    for item in items:
        for finding in item.findings:
            collected.locate(item.workload.source, finding.path)
    assessment = Assessment(
        entries=judge(items, FailOn.FINDING),
        fail_on=FailOn.FINDING,
        rules={row.id: RuleText(row.id, row.title, row.why, row.fix) for row in catalogue.rules},
        escapes={row.id: EscapeText(row.id, row.title, row.source) for row in catalogue.escapes},
        skipped=tuple(str(each) for each in collected.skipped),
        missed=tuple(str(each) for each in collected.unreached),
        inputs=("-",),
        version="0",
    )
    for name, render in _RENDERERS.items():
        text = "".join(render(assessment))
        text.encode(errors="backslashreplace")
        if name in WELL_FORMED:
            WELL_FORMED[name](text)
    "".join(table(assessment, 80, colour=False))
    return True


def _bytes(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            data[place : place + chance.randrange(8)] = b""
        case 1:
            data[place:place] = chance.choice(_BYTES)
        case 2:
            data[place : place + 1] = bytes([chance.randrange(256)])
        case _:
            data[place:place] = data[place : place + chance.randrange(200)] * chance.randrange(4)


def _lines(data: bytearray, chance: random.Random) -> None:
    lines = bytes(data).split(b"\n")
    place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[other])
        case 2:
            lines[place] = b" " * chance.randrange(9) + lines[place].lstrip()
        case _:
            lines[place], lines[other] = lines[other], lines[place]
    data[:] = b"\n".join(lines)


def _values(data: bytearray, chance: random.Random) -> None:
    found = list(_VALUE.finditer(bytes(data)))
    if found:
        place = chance.choice(found)
        taken = chance.choice(found).group() if chance.random() < 0.4 else chance.choice(_VALUES)
        data[place.start() : place.end()] = taken


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (_bytes, _lines, _values, _values)


def changed(seed: bytes, chance: random.Random) -> bytes:
    """The seed with one to six changes."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        chance.choice(_CHANGES)(data, chance)
    return bytes(data[:_LONGEST])


def seeds() -> tuple[bytes, ...]:
    """Kept inputs, and the labelled manifests."""
    files = [*sorted(SEEDS.glob("*")), *sorted((HERE / "labelled").glob("*.yaml"))]
    return tuple(file.read_bytes() for file in files)


def trial(data: bytes) -> bool:
    """One input, within the time that it may take."""
    began = time.perf_counter()
    reported = through(data)
    if (took := time.perf_counter() - began) > SLOW_SECONDS:
        raise TooSlowError(f"{took:.1f} s for {len(data)} bytes")
    return reported


def fuzz(seconds: float, chance: random.Random) -> tuple[int, int, list[Path]]:
    """Rounds, rounds with something to report, and what broke: each kind of failure once."""
    known, broke, rounds, reported = seeds(), dict[str, Path](), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = changed(chance.choice(known), chance)
        rounds += 1
        try:
            reported += trial(data)
        except Exception as error:  # noqa: BLE001 - any exception is the finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__} {Path(place.filename).name}:{place.lineno}"
            if key not in broke:
                broke[key] = _keep(data)
                print(f"{key}: {error} → {broke[key]}", file=sys.stderr, flush=True)
    return rounds, reported, list(broke.values())


def _keep(data: bytes) -> Path:
    kept = SEEDS / f"broke-{hashlib.sha256(data).hexdigest()[:12]}"
    kept.write_bytes(data)
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz for some minutes; 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    given = parser.parse_args(arguments)
    rounds, reported, broke = fuzz(given.minutes * 60, random.Random(given.seed))
    print(f"seed {given.seed}: {rounds} inputs, {reported} with workloads, {len(broke)} kinds of failure")
    return bool(broke)


if __name__ == "__main__":
    raise SystemExit(main())
