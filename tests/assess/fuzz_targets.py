"""What each kind of input goes through. Nothing may end in anything but an answer or casemate's own error.

1. `manifests`: every report, the way into a baseline and back, `explain`, and `--fix`: edited, read and assessed again.
2. `exceptions`, `baseline`, `catalogue`: the file that the option names, over the commands as a person calls them.
3. `cluster`: what an API server answers. `kubeconfig`: how to reach one. `names`: what `explain` is asked for.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeAlias
from xml.etree import ElementTree

import yaml
from fuzz_server import api_server

from casemate.catalogue import tables
from casemate.cli.assess import _RENDERERS
from casemate.cli.explain import _scale
from casemate.cli.main import run_command
from casemate.decide import baseline
from casemate.decide import fix as deciding
from casemate.decide.assess import Assessor
from casemate.errors import CasemateError
from casemate.model.assessment import Assessed
from casemate.report import patches
from casemate.report.assess_document import Assessment, EscapeText, FailOn, RuleText, Standing, judge
from casemate.report.assess_explain import page_text, workload_json, workload_page
from casemate.report.assess_table import table
from casemate.sources import cluster, edit, static
from casemate.sources.cluster_access import access
from casemate.sources.fast_files import STDIN
from casemate.sources.workloads import Collected, collect

HERE: Final = Path(__file__).parent
SEEDS: Final = HERE / "seeds"
_CONSENT: Final = frozenset({deciding.ALL})
_GOOD: Final = (0, 1, 2, 3, 4)


class WrongError(Exception):
    """An answer that cannot be right: which law it breaks, and how."""

    def __init__(self, law: str, how: str = "") -> None:
        super().__init__(f"{law}: {how}" if how else law)
        self.law = law


def _escaped(html: str) -> None:
    HTMLParser().feed(html)
    if "<script>alert" in html or "<img src=x" in html:
        raise WrongError("markup of a manifest reached the page")


def _no_formulas(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        if any(cell.startswith(("=", "+", "@", "\t")) for cell in row):
            raise WrongError("a spreadsheet would execute a cell", str(row))


def _documents(text: str) -> None:
    list(yaml.load_all(text, yaml.CSafeLoader))


# Whatever a manifest says, each report can be read by what reads such reports.
WELL_FORMED: Final[dict[str, Callable[[str], object]]] = {
    "json": json.loads,
    "sarif": json.loads,
    "junit": ElementTree.fromstring,
    "policyreport": _documents,
    "openreports": _documents,
    "html": _escaped,
    "csv": _no_formulas,
}


def manifests(data: bytes) -> bool:
    """Manifests to every report and every fix. True when there was something to report."""
    _static(data)
    try:
        collected = collect(["-"], io.BytesIO(data))
    except CasemateError as error:
        str(error)
        return False
    items = _assessed(collected)
    for item in items:
        for finding in item.findings:
            collected.locate(item.workload.source, finding.path)
    _reported(items, collected)
    _fixed(data, items)
    return True


def _assessed(collected: Collected) -> tuple[Assessed, ...]:
    assessor = Assessor(tables.load(), collected.surroundings)
    return tuple(assessor.assess(each) for each in collected.workloads)


def _static(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pod.yaml").write_bytes(data)
        _reported(_assessed(static.collect(folder)))


def _reported(items: Sequence[Assessed], collected: Collected | None = None) -> None:
    """Every report can be read, each workload explained, and what is in the baseline is new no more."""
    assessment = _assessment(items, collected)
    written = ""
    for name, render in _RENDERERS.items():
        text = "".join(render(assessment))
        text.encode(errors="backslashreplace")
        WELL_FORMED.get(name, str)(text)
        written = text if name == "json" else written
    "".join(table(assessment, 80, colour=False))
    known = baseline.parse(written.encode(errors="backslashreplace"), "baseline")
    again = judge(items, FailOn.FINDING, known)
    if any(each.standing in (Standing.GAP, Standing.WEAK) for each in again):
        raise WrongError("what the baseline holds is new")
    for entry in assessment.entries[:3]:
        page_text(workload_page(entry, _scale()), 80)
        json.loads(workload_json(entry))


def _assessment(items: Sequence[Assessed], collected: Collected | None) -> Assessment:
    catalogue = tables.load()
    return Assessment(
        entries=judge(items, FailOn.FINDING),
        fail_on=FailOn.FINDING,
        rules={row.id: RuleText(row.id, row.title, row.why, row.fix) for row in catalogue.rules},
        escapes={row.id: EscapeText(row.id, row.title, row.source) for row in catalogue.escapes},
        skipped=tuple(str(each) for each in (collected.skipped if collected else ())),
        missed=tuple(str(each) for each in (collected.unreached if collected else ())),
        inputs=("-",),
        version="0",
    )


def _fixed(data: bytes, items: Sequence[Assessed]) -> None:
    """A fix can be shown and made, and what it says that it closes is closed when it is assessed again."""
    fixes = [deciding.fix(item, _CONSENT) for item in items]
    list(yaml.safe_load_all(patches.kustomize(fixes)))
    try:
        after = edit.edited(data, STDIN, fixes)
    except CasemateError as error:
        str(error)
        return
    patches.diff(STDIN, data.decode(), after.decode())
    if after == data:
        return
    again = _assessed(collect(["-"], io.BytesIO(after)))
    if len(again) != len(items):
        raise WrongError("a fix changes how many workloads there are", f"{len(items)}, then {len(again)}")
    for each, now in zip(fixes, again, strict=True):
        if each.closes and now.gap:
            raise WrongError("a fix does not close the gap that it says it closes", now.workload.title)


@dataclass
class _Answer:
    """One round's command line: what came out, and how it ended."""

    code: int
    out: str


def _called(*arguments: str, stdin: bytes = b"") -> _Answer:
    """A command line as a person calls it."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_command(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdin = before
    if code not in _GOOD:
        raise WrongError("an exit code that is not documented", f"{code}: {err.getvalue()}")
    if code > 1 and code != 4 and not err.getvalue().strip():
        raise WrongError("an error without a word", str(code))
    return _Answer(code, out.getvalue())


@cache
def _shop() -> bytes:
    """A few workloads of different sorts to try options on."""
    return (SEEDS / "manifests" / "shop.yaml").read_bytes()


def _option(option: str, data: bytes, formats: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "given.yaml")
        file.write_bytes(data)
        code = 2
        for name in formats:
            answer = _called("assess", "-", option, str(file), "-o", name, "--fail-on", "finding", stdin=_shop())
            if (code := answer.code) == 2:
                return False
            WELL_FORMED.get(name, str)(answer.out)
    return code < 2


def _some(data: bytes, count: int) -> list[str]:
    """Some of the formats, by the input's own bytes: a kept input takes the same way each time."""
    first = sum(data) % len(_RENDERERS)
    return ["table", *(list(_RENDERERS) * 2)[first : first + count]]


def exceptions(data: bytes) -> bool:
    """A file of exceptions. True when it was one."""
    return _option("--exceptions", data, _some(data, 2))


def earlier(data: bytes) -> bool:
    """A baseline. True when it was one."""
    return _option("--baseline", data, _some(data, 2))


def catalogue(data: bytes) -> bool:
    """A person's own rows. True when they were accepted."""
    if not _option("--catalogue", data, _some(data, 2)):
        return False
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "given.yaml")
        file.write_bytes(data)
        own = [str(file)]
        _called("catalogue", "check", *own)
        _called("assess", "-", "--catalogue", *own, "--fix", "diff", "--consent", "all", stdin=_shop())
        for row in _ids(data)[:4]:
            _called("explain", row, "-", "--catalogue", *own, stdin=_shop())
            _called("explain", row, "--catalogue", *own, "-o", "json")
    return True


def _ids(data: bytes) -> list[str]:
    """Ids of the rows, but what the command line would take for an option."""
    found = yaml.load(data.decode("utf-8-sig"), yaml.CSafeLoader)
    rows = [row for rows in found.values() for row in rows] if isinstance(found, dict) else []
    return [str(row["id"]) for row in rows if isinstance(row, dict) and not str(row.get("id", "-")).startswith("-")]


def lists(data: bytes) -> bool:
    """An API server's answer to every list. True when it held workloads."""
    server, config = api_server()
    server.body = data
    items: list[Assessed] = []
    try:
        for page in cluster.collect(str(config), seconds=30):
            items += _assessed(page)
            [str(each) for each in (*page.unreached, *page.skipped)]
    except CasemateError as error:
        str(error)
        return False
    _reported(items[:20])
    return bool(items)


def kubeconfig(data: bytes) -> bool:
    """A kubeconfig. True when it leads to a server."""
    if b"exec" in data or b"/dev/" in data or b"/proc/" in data:
        return False  # It may name a program to run, or a file without end.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config")
        file.write_bytes(data)
        try:
            return bool(access(str(file)).server)
        except CasemateError as error:
            str(error)
            return False


def names(data: bytes) -> bool:
    """What `explain` is asked for. True when it knows that."""
    name = os.fsdecode(data.replace(b"\x00", b"")[:300])
    text = _called("explain", name, "-", stdin=_shop())
    if name.startswith("-"):
        return False
    answer = _called("explain", name, "-", "-o", "json", stdin=_shop())
    if (answer.code == 0) != (text.code == 0):
        raise WrongError("known in one format only")
    if answer.code == 0:
        json.loads(answer.out)
    return answer.code == 0


def _kept(folder: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((SEEDS / folder).glob("*"))]


def _manifests() -> list[bytes]:
    return [*_kept("manifests"), *(file.read_bytes() for file in sorted((HERE / "labelled").glob("*.yaml")))]


def _rows() -> list[bytes]:
    """Kept catalogues, and some of our own rows at a time."""
    written = [*_kept("catalogue")]
    for name in tables.load().tables():
        text = resources.files("casemate.catalogue").joinpath(f"{name}.yaml").read_bytes()
        rows = yaml.load(text, yaml.CSafeLoader)
        written += [_row(name, rows[begin : begin + 3]) for begin in range(0, len(rows), 3)]
    return written


def _row(name: str, rows: list[Any]) -> bytes:
    return yaml.safe_dump({name: rows}, sort_keys=False, allow_unicode=True).encode()


def _named() -> list[bytes]:
    ids = [row.id.encode() for rows in tables.load().tables().values() for row in rows]
    return [*_kept("names"), *ids]


_Trial: TypeAlias = Callable[[bytes], bool]
_Seeds: TypeAlias = Callable[[], list[bytes]]


@dataclass(frozen=True)
class Target:
    """Inputs of one kind: what they go through, the folder of kept ones, all seeds, and their share of rounds."""

    trial: _Trial
    folder: Path
    seeds: _Seeds
    share: int


def _target(
    name: str, trial: Callable[[bytes], bool], share: int, seeds: Callable[[], list[bytes]] | None = None
) -> Target:
    return Target(trial, SEEDS / name, seeds or (lambda: _kept(name)), share)


TARGETS: Final = {
    "manifests": _target("manifests", manifests, 10, _manifests),
    "exceptions": _target("exceptions", exceptions, 4),
    "baseline": _target("baseline", earlier, 2),
    "catalogue": _target("catalogue", catalogue, 4, _rows),
    "cluster": _target("cluster", lists, 4),
    "kubeconfig": _target("kubeconfig", kubeconfig, 3),
    "names": _target("names", names, 2, _named),
}


def at(error: BaseException) -> str:
    """Which failure it is: the law that it breaks, or its type and where in casemate it was raised."""
    if isinstance(error, WrongError):
        return error.law
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "casemate" in each.filename and "tests" not in each.filename]
    place = (ours or frames)[-1]
    return f"{type(error).__name__} {Path(place.filename).name}:{place.lineno}"


def every_seed() -> Iterator[tuple[str, Path]]:
    """Each kept input with the name of its target."""
    for name, target in TARGETS.items():
        for file in sorted(target.folder.glob("*")):
            yield name, file
