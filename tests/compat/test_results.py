"""How probes are read, and what their results are."""

from __future__ import annotations

import datetime

import msgspec
import pytest
from probes import Header, Verdict, probes, verdict
from results import Result, as_rows, contradictions, disagreements, merged, text

from casemate.catalogue import reading, rows
from casemate.catalogue.lines import read
from casemate.catalogue.rows import Cell, Fit
from casemate.model.assessment import Outcome
from casemate.model.boundary import Boundary
from casemate.model.comparison import Ending, Trial
from casemate.model.handler import Handler

TODAY = datetime.date(2026, 11, 21)
CELLS = {"gvisor": Cell(outcome=Outcome.FAILS, text="no network"), "wasm": Cell(outcome=Outcome.UNTESTED)}
R1 = Fit(id="R1", title="", source="", date=TODAY, certainty="source", when="never", under=CELLS)
FITS = {each.row.id for each in reading.shipped("fits")}


def handler(name: str) -> Handler:
    return Handler(name=name, runtime=name, version="1.2", path="", boundary=Boundary.SHARED, works=True)


def trial(*lines: str, code: int = 0, ending: Ending = Ending.ENDED, reason: str = "") -> Trial:
    return Trial(
        runtime="runc",
        handler="runc",
        version="1.2",
        boundary=Boundary.SHARED,
        ending=ending,
        reason=reason,
        exit_codes={"probe/main": code},
        output={"probe/main/stdout": lines},
    )


def result(name: str, outcome: Outcome, fit: str = "R1") -> Result:
    return Result(fit, handler(name), Verdict(outcome, "seen"))


@pytest.mark.parametrize(("manifest", "header"), list(probes()), ids=lambda each: getattr(each, "stem", ""))
def test_every_probe_is_of_a_row_of_the_catalogue(manifest: object, header: Header) -> None:
    assert header.fit in FITS
    assert {*header.handlers} <= {"runc", "crun", "runsc", "wasm"}


VERDICTS = [
    (trial("noise", "works: all of it"), Outcome.WORKS, "all of it"),
    (trial("differs: less", "more noise"), Outcome.DIFFERS, "less"),
    (trial("fails"), Outcome.FAILS, ""),
    (trial("it works: not a verdict", code=1), Outcome.FAILS, "ended with exit code 1: it works: not a verdict"),
    (trial(code=137), Outcome.WORKS, "exit code 137"),
    (trial(ending=Ending.NOT_STARTED, reason="failed to create shim task: no"), Outcome.FAILS, "no"),
]


@pytest.mark.parametrize(("run", "outcome", "words"), VERDICTS)
def test_the_last_verdict_counts_else_the_exit_code(run: Trial, outcome: Outcome, words: str) -> None:
    assert verdict(run, Header(fit="R1", exits={137: "works"})) == Verdict(outcome, words)


def test_runc_and_crun_are_one_row_when_they_agree_and_none_when_not() -> None:
    (row,) = as_rows([result("runc", Outcome.WORKS), result("crun", Outcome.WORKS)], [R1], TODAY)
    assert (row.family, row.version, row.text) == ("runc", "runc 1.2, crun 1.2", "")
    apart = [result("runc", Outcome.WORKS), result("crun", Outcome.FAILS)]
    assert not [*as_rows(apart, [R1], TODAY)]
    assert [*disagreements(apart)] == ["R1: runc works, crun fails"]


def test_a_result_that_the_table_does_not_have_contradicts_it_and_an_untested_cell_does_not() -> None:
    results = [result("runsc", Outcome.WORKS), result("wasm", Outcome.WORKS)]
    assert [*contradictions(results, [R1])] == [
        "R1 under runsc: the catalogue says fails (no network), the run showed works (seen)"
    ]
    assert [each.text for each in as_rows(results, [R1], TODAY)] == ["seen", ""]


def test_rows_that_were_not_run_again_stay() -> None:
    old = rows.Tested(fit="R2", family="runc", outcome=Outcome.WORKS, version="1", date=TODAY)
    new = rows.Tested(fit="R10", family="runc", outcome=Outcome.DIFFERS, version="1.2, with a comma", date=TODAY)
    assert merged([old, msgspec.structs.replace(new, version="0")], [new]) == (old, new)


def test_the_file_is_read_back_as_it_was() -> None:
    row = rows.Tested(fit="R20b", family="gvisor", outcome=Outcome.DIFFERS, version="runsc 1: x, y", date=TODAY)
    (plain,) = read(text([row]).encode(), "tested.yaml").value  # type: ignore[misc]
    assert plain == {"fit": "R20b", "family": "gvisor", "outcome": "differs", "version": "runsc 1: x, y", "date": TODAY}
