"""Rows of the catalogue as pages: what a rule, an escape, a criterion, a feature or a runtime is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import singledispatch

from casemate.catalogue.conditions import shown
from casemate.catalogue.rows import Cell, Criterion, Escape, Fit, Overhead, Row, Rule, Runtime
from casemate.catalogue.tables import Catalogue
from casemate.model.assessment import Assessed, Outcome
from casemate.model.boundary import Boundary
from casemate.report.assess_explain import Grid, Page
from casemate.report.assess_words import cost


def page_of(row: Row, catalogue: Catalogue) -> Page:
    """The page of a row, with what the catalogue says of it in other tables."""
    return _page(row, catalogue)


def with_workloads(page: Page, row_id: str, items: Iterable[Assessed]) -> Page:
    """The page with the workloads that the row is about, and how."""
    rows = tuple((item.workload.title, said) for item in items if (said := _said(item, row_id)))
    return replace(page, grids=(*page.grids, Grid("Workloads", ("WORKLOAD", "HOW"), rows)))


def _said(item: Assessed, row_id: str) -> str:
    """In which ways a row takes part in the assessment of a workload; empty when in none."""
    said = [f"{each.points:+d} points" for each in item.need.reasons if each.id == row_id]
    said += [f"{each.relevance} {each.path}".strip() for each in item.findings if each.rule == row_id]
    said += [f"{each.outcome} under {each.runtime}" for each in item.blockers if each.id == row_id]
    said += [f"{each.now}, then {each.after}" for each in item.escapes.rows if each.id == row_id]
    said += ["runs under it"] if item.has.runtime == row_id else []
    said += ["recommended"] if item.gap and item.recommendation.runtime == row_id else []
    return "; ".join(dict.fromkeys(said))


@singledispatch
def _page(row: Row, _: Catalogue) -> Page:
    return Page("row", row.id, row.title, _origin(row))


def _origin(row: Row) -> dict[str, str]:
    return {"Source": row.source, "Read": row.date.isoformat(), "Certainty": row.certainty}


@_page.register
def _rule(row: Rule, _: Catalogue) -> Page:
    facts = {"Complains": row.message, "When": shown(row.when), "Field": row.path, "What to do": row.fix}
    behind = tuple(
        (str(boundary), str(row.relevance.behind(boundary)))
        for boundary in Boundary
        if boundary is not Boundary.UNKNOWN
    )
    if row.relevance.wasm is not None:
        behind += (("sandbox (Wasm)", str(row.relevance.wasm)),)
    grid = Grid("What it means behind each boundary", ("BOUNDARY", "RELEVANCE"), behind)
    lead = f"{row.title}. {row.why} {row.relevance.because}".strip()
    return Page("rule", row.id, lead, facts | _origin(row), (grid,))


@_page.register
def _criterion(row: Criterion, _: Catalogue) -> Page:
    facts = {
        "Reason": row.text,
        "Points": f"{row.points:+d}",
        "Forces": f"at least {row.force}, whatever the sum" if row.force is not None else "",
        "When": shown(row.when),
        "Field": row.path,
    }
    return Page("criterion", row.id, row.title, facts | _origin(row))


@_page.register
def _fit(row: Fit, _: Catalogue) -> Page:
    cells = tuple((family, _outcome(cell), cell.text, _sureness(cell, row)) for family, cell in row.under.items())
    grid = Grid("How it fares under each family of runtimes", ("FAMILY", "OUTCOME", "WHAT", "HOW SURE"), cells)
    facts = {"When": shown(row.when), "Field": row.path, "No run of ours": row.untestable}
    return Page("feature", row.id, row.title, facts | _origin(row), (grid,))


def _outcome(cell: Cell) -> str:
    return f"{cell.outcome}, opens the boundary" if cell.weakens else str(cell.outcome)


def _sureness(cell: Cell, row: Fit) -> str:
    """Whether a run of ours showed it, with which version and when; else how the fact is known."""
    if cell.tested:
        return f"tested {cell.date or row.date}: {cell.tested}"
    return "" if cell.outcome is Outcome.UNTESTED else cell.certainty or row.certainty


@_page.register
def _escape(row: Escape, _: Catalogue) -> Page:
    facts = {
        "In": row.component,
        "CVSS": "" if row.cvss is None else str(row.cvss),
        "Needs": shown(row.when),
        "Fixed in": "; ".join(f"{name} {', '.join(versions)}" for name, versions in row.fixed.items()),
    }
    answers = tuple(
        (defence, each.answer, each.because, "" if each.answer == "unknown" else each.certainty)
        for defence, each in row.stopped.items()
    )
    grid = Grid("Does it stop there?", ("DEFENCE", "STOPPED", "BECAUSE", "HOW SURE"), answers)
    return Page("escape", row.id, f"{row.title}. {row.text}".strip(), facts | _origin(row), (grid,))


@_page.register
def _runtime(row: Runtime, catalogue: Catalogue) -> Page:
    facts = {
        "Boundary": str(row.boundary),
        "Classes": ", ".join(row.classes),
        "Handlers": ", ".join(row.handlers),
        "Offered by": row.managed,
        "Features": ", ".join(row.features),
        "Requires": ", ".join(row.requires),
        "Cost per Pod": cost(row.overhead.cost()) if isinstance(row.overhead, Overhead) else "",
    }
    return Page("runtime", row.id, f"{row.title}. {row.note}".strip(), facts | _origin(row), _under(row, catalogue))


def _under(row: Runtime, catalogue: Catalogue) -> tuple[Grid, ...]:
    """What does not simply work under a runtime, which escapes it stops, and which its fixes are for."""
    cells = [(each, each.cell(row.families)) for each in catalogue.fits]
    breaks = tuple(
        (_outcome(cell), each.id, each.title, cell.text)
        for each, cell in sorted(cells, key=lambda found: found[1].outcome is not Outcome.FAILS)
        if cell.outcome in (Outcome.FAILS, Outcome.DIFFERS) or cell.weakens
    )
    stops = tuple((each.id, each.by(row.defence).answer, each.title) for each in catalogue.escapes)
    fixes = tuple(
        (each.id, ", ".join(each.fixed[row.component]), each.title)
        for each in catalogue.escapes
        if row.component is not None and row.component in each.fixed
    )
    return (
        Grid("What does not simply work under it", ("OUTCOME", "ROW", "FEATURE", "WHAT"), breaks),
        Grid("Its known-bad versions", ("ESCAPE", "FIXED IN", "WHAT"), fixes),
        Grid("Reference escapes: does it stop them?", ("ESCAPE", "STOPPED", "WHAT"), stops),
    )
