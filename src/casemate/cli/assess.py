"""`casemate assess`."""

from __future__ import annotations

import gc
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from casemate import __version__, exit_codes
from casemate.catalogue import tables
from casemate.cli import decided
from casemate.cli import fix as fixing
from casemate.cli.decided import Basis
from casemate.report.assess_document import Assessment, EscapeText, FailOn, RuleText, gone, judge
from casemate.report.assess_flat import assessment_csv, assessment_markdown
from casemate.report.assess_html import assessment_html
from casemate.report.assess_json import assessment_json
from casemate.report.assess_junit import junit
from casemate.report.assess_policyreport import open_reports, policy_reports
from casemate.report.assess_sarif import sarif
from casemate.report.assess_table import table, wide
from casemate.report.policy_verdict import verdicts_text

Format = Literal["table", "wide", "json", "sarif", "junit", "html", "markdown", "csv", "policyreport", "openreports"]
_RENDERERS: dict[Format, Callable[[Assessment], str | Iterator[str]]] = {
    "wide": wide,
    "json": assessment_json,
    "sarif": sarif,
    "junit": junit,
    "html": assessment_html,
    "markdown": assessment_markdown,
    "csv": assessment_csv,
    "policyreport": policy_reports,
    "openreports": open_reports,
}
# These name lines of fields; finding them means to read the files again.
_WITH_LINES = ("json", "sarif", "html")


def assess(
    *path: Annotated[str, Parameter(allow_leading_hyphen=True)],
    basis: Basis | None = None,
    output: Annotated[Format, Parameter(name=["--output", "-o"])] = "table",
    fail_on: Literal["gap", "finding", "never"] = "gap",
    baseline: Path | None = None,
    fix: fixing.How | None = None,
    consent: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006 - cyclopts copies it
) -> int:
    """Say how much isolation each workload needs, what it has, which runtime closes the gap, and what would break.

    Reads nothing but the inputs, and changes nothing without --fix. Ends with 1 when a workload fails, with 4 when none
    does but something could not be looked at.

    Parameters
    ----------
    path
        Manifests, folders of manifests, or - for standard input; the current folder when there is none.
    output
        table, wide, json, sarif, junit, html, markdown, csv, policyreport or openreports.
    fail_on
        gap: a workload has less than it needs. finding: or a weakness matters. never: always end with 0 (or 4).
    baseline
        An earlier assessment (-o json): what it has does not fail again, unless it got worse.
    fix
        Instead of a report: diff shows what closes the gaps, write does it, kustomize prints patches, render is a
        post-renderer for Helm.
    consent
        The id of a row under which a fix may change behaviour, or all; repeatable.
    """
    with _no_collection():
        return _assess(path, basis or Basis(), output, FailOn(fail_on), baseline, fix, consent)


@contextmanager
def _no_collection() -> Iterator[None]:
    """An assessment makes millions of objects and no cycles: looking for some would take a third of its time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _assess(
    path: Sequence[str],
    basis: Basis,
    output: Format,
    fail_on: FailOn,
    baseline: Path | None,
    fix: fixing.How | None,
    consent: Sequence[str],
) -> int:
    known = tables.load(basis.catalogue)
    if fix == "render":
        return fixing.render(lambda data: decided.assess(("-",), basis, known, io.BytesIO(data)).items, consent)
    before = None if baseline is None else decided.before(baseline)
    found = decided.assess(path, basis, known)
    if fix is not None:
        return fixing.fix(found.items, fix, consent, found.texts)
    items = found.located(found.items) if output in _WITH_LINES else found.items
    entries = judge(items, fail_on, before or frozenset())
    assessment = Assessment(
        entries=entries,
        fail_on=fail_on,
        rules={row.id: RuleText(row.id, row.title, row.why, row.fix) for row in known.rules},
        escapes={row.id: EscapeText(row.id, row.title, row.source) for row in known.escapes},
        exceptions=found.audit,
        missed=found.missed,
        skipped=found.skipped,
        fixed=None if before is None else gone(entries, before),
        inputs=basis.arguments(path),
        version=__version__,
    )
    for piece in _rendered(assessment, output):
        sys.stdout.write(piece)
    print()
    if output in ("table", "wide") and (judged := decided.judged(items)):
        print(verdicts_text(judged))
    return exit_codes.after_looking(found=assessment.failed, missed=bool(assessment.missed))


def _rendered(assessment: Assessment, output: Format) -> Iterable[str]:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal's encoding lacks is shown by its number, and ends nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    if output != "table":
        rendered = _RENDERERS[output](assessment)
        return (rendered,) if isinstance(rendered, str) else rendered
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 80
    return (table(assessment, width, colour=terminal and not os.environ.get("NO_COLOR")),)
