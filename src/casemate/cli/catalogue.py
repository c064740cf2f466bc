"""`casemate catalogue`: show what casemate knows, check a catalogue of one's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from casemate import catalogue
from casemate.catalogue import Catalogue, written
from casemate.catalogue.conditions import shown
from casemate.catalogue.rows import Criterion, Escape, Fit, Profile, Row, Rule, Runtime
from casemate.cli.options import Output
from casemate.errors import InputError
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns

WHAT = {
    "runtimes": "what classes and handlers stand for, need and cost",
    "criteria": "what raises need, by how much",
    "profiles": "kinds of workload and how they are recognised",
    "fits": "how features of manifests fare under each runtime",
    "escapes": "published escapes and what stops each",
    "hardening": "weaknesses of manifests and what they mean behind each boundary",
    "leftovers": "what still needs Docker on the nodes",
}
Files = Annotated[
    list[Path] | None, Parameter(name="--catalogue", negative="", help="A catalogue of your own; may be repeated.")
]

app = App(name="catalogue", help="Show what casemate knows of runtimes, risks and escapes.")


@app.command
def show(
    what: Annotated[str, Parameter(help="A table, or the id of a row.")] = "",
    /,
    *,
    catalogue_files: Files = None,
    output: Output = "table",
) -> int:
    """Show the tables, one table, or one row as it would be written in a catalogue of one's own."""
    loaded = catalogue.load(catalogue_files or ())
    tables = loaded.tables()
    if what and what not in tables:
        row = _row(loaded, what)
        print(_json({_table(loaded, row): (row,)}) if output == "json" else written.as_yaml(row).rstrip())
    elif output == "json":
        print(_json({what: tables[what]} if what else tables))
    elif what:
        _print_rows(tables[what])
    else:
        _print(("TABLE", "ROWS", "WHAT"), ((name, str(len(rows)), WHAT[name]) for name, rows in tables.items()))
    return 0


@app.command
def check(*files: Annotated[Path, Parameter(help="Catalogues of your own.")]) -> int:
    """Check catalogues: fields, types, conditions, ids. The first mistake is named with its file and line."""
    loaded = catalogue.load(files)
    rows = sum(len(table) for table in loaded.tables().values())
    print(f"{rows} rows, with those that casemate ships: no mistakes")
    return 0


def _row(loaded: Catalogue, row_id: str) -> Row:
    row = loaded.row(row_id)
    if row is not None:
        return row
    names = [*loaded.tables(), *(each.id for table in loaded.tables().values() for each in table)]
    near = difflib.get_close_matches(row_id, names, 1, 0.5)
    fix = f"did you mean {near[0]}?" if near else "casemate catalogue show"
    raise InputError(f"the catalogue has neither a table nor a row `{row_id}`", fix=fix)


def _table(loaded: Catalogue, row: Row) -> str:
    return next(name for name, rows in loaded.tables().items() if row in rows)


def _json(tables: Mapping[str, tuple[Row, ...]]) -> str:
    items = [{"table": name, **written.as_data(row)} for name, rows in tables.items() for row in rows]
    return encoded(answer("Catalogue", items=items))


def _print_rows(rows: Sequence[Row]) -> None:
    match rows[0]:
        case Runtime():
            _print(("ID", "BOUNDARY", "MEMORY", "CLASSES", "TITLE"), (_runtime(row) for row in rows))
        case Criterion() | Profile():
            _print(("ID", "POINTS", "AT LEAST", "TITLE"), (_criterion(row) for row in rows))
        case Fit():
            _print(("ID", "TITLE", "WHEN", "FAILS", "DIFFERS"), (_fit(row) for row in rows))
        case Escape():
            _print(("ID", "COMPONENT", "STOPPED BY", "NOT BY", "TITLE"), (_escape(row) for row in rows))
        case _:
            _print(("ID", "TITLE", "WHEN"), (_rule(row) for row in rows))


def _runtime(row: Row) -> tuple[str, ...]:
    assert isinstance(row, Runtime)
    memory = row.overhead.memory if row.overhead and row.overhead.memory else ""
    return row.id, str(row.boundary), memory, ", ".join(row.classes), row.title


def _criterion(row: Row) -> tuple[str, ...]:
    assert isinstance(row, Criterion)
    return row.id, f"{row.points:+d}" if row.points else "", str(row.force or ""), row.title


def _fit(row: Row) -> tuple[str, ...]:
    assert isinstance(row, Fit)
    fails = ", ".join(family for family, cell in row.under.items() if cell.outcome.name == "FAILS")
    differs = ", ".join(family for family, cell in row.under.items() if cell.outcome.name == "DIFFERS")
    return row.id, row.title, shown(row.when), fails, differs


def _escape(row: Row) -> tuple[str, ...]:
    assert isinstance(row, Escape)
    stops = ", ".join(name for name, cell in row.stopped.items() if cell.answer == "yes")
    lets = ", ".join(name for name, cell in row.stopped.items() if cell.answer == "no" and name != "default")
    return row.id, row.component, stops, lets, row.title


def _rule(row: Row) -> tuple[str, ...]:
    assert isinstance(row, Rule)
    return row.id, row.title, shown(row.when)


def _print(names: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = columns(*names, folded=[each for each in names if each != "ID"])
    for row in rows:
        table.add_row(*row)
    Screen().print(table)
