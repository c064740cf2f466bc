"""A comparison of runtimes as a table with what differs below it, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from casemate.model.comparison import Compared, Comparison, LineDifference, Trial
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns

_MIB = 1 << 20
_SHOWN = 160
_CALLS_SHOWN = 6


def comparison_json(comparison: Comparison) -> str:
    """`kind: Comparison` with one item per runtime (DESIGN.md section 4)."""
    document = answer(
        "Comparison",
        reference=comparison.items[0].trial.runtime,
        differ=comparison.differ,
        unsteady=list(comparison.unsteady),
        items=[_item(each) for each in comparison.items],
    )
    return encoded(document)


def print_comparison(comparison: Comparison, screen: Screen | None = None) -> None:
    """Print the table to standard output, and what differs."""
    screen = screen or Screen()
    screen.print(comparison_table(comparison))
    for line in remarks(comparison):
        screen.print(line, soft_wrap=True)


def comparison_table(comparison: Comparison) -> Table:
    """Runtime, boundary, outcome, exit code, output, start, run, memory, refused calls."""
    right = ("START", "RUN", "MEMORY")
    table = columns("RUNTIME", "BOUNDARY", "OUTCOME", "EXIT", "OUTPUT", *right, "REFUSED CALLS", right=right)
    for number, each in enumerate(comparison.items):
        table.add_row(*_row(each, first=number == 0))
    return table


def remarks(comparison: Comparison) -> Iterator[str]:
    """What a table has no room for: reasons, first lines that differ, refused calls, and the sentence to end with."""
    reference = comparison.items[0].trial
    for each in comparison.items:
        if each.trial.reason:
            yield f"\n{each.trial.runtime}: {each.trial.ending}: {each.trial.reason}"
        if each.trial.refused_calls and len(each.trial.refused_calls) > _CALLS_SHOWN:
            yield f"\n{each.trial.runtime}: refused calls: {', '.join(each.trial.refused_calls)}"
        for line in each.lines:
            yield f"\n{line.container} {line.stream}, line {line.line}:"
            yield from _both(line, reference, each.trial)
    if comparison.unsteady:
        yield f"\nnot compared, as it changes from run to run under {reference.runtime} itself: " + ", ".join(
            comparison.unsteady
        )
    yield f"\n{_verdict(comparison)}"


def _both(line: LineDifference, reference: Trial, trial: Trial) -> Iterator[str]:
    width = max(len(reference.runtime), len(trial.runtime))
    yield f"  {reference.runtime:{width}}  {_text(line.reference)}"
    yield f"  {trial.runtime:{width}}  {_text(line.found)}"


def _text(line: str | None) -> str:
    if line is None:
        return "(no such line)"
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return printable if len(printable) <= _SHOWN else f"{printable[:_SHOWN]}…"


def _verdict(comparison: Comparison) -> str:
    reference = comparison.items[0].trial.runtime
    differing = [f"{each.trial.runtime} ({', '.join(each.differs)})" for each in comparison.items if each.differs]
    if differing:
        return f"Otherwise than under {reference}: {'; '.join(differing)}."
    names = ", ".join(each.trial.runtime for each in comparison.items[1:])
    return f"The same under {reference} and {names}." if names else f"Run under {reference} only."


def _row(compared: Compared, *, first: bool) -> list[str]:
    trial = compared.trial
    output = "differs" if compared.lines else "same" if trial.ran else "-"
    return [
        trial.runtime if trial.runtime == trial.handler else f"{trial.runtime} → {trial.handler}",
        str(trial.boundary),
        str(trial.ending),
        _exits(trial),
        "reference" if first else output,
        _seconds(trial.start_seconds),
        _seconds(trial.run_seconds),
        "-" if trial.memory is None else f"{trial.memory / _MIB:.1f} MiB",
        _calls(trial),
    ]


def _exits(trial: Trial) -> str:
    codes = trial.exit_codes
    if len(codes) <= 1:
        return str(next(iter(codes.values()), "-"))
    failed = [f"{name} {code}" for name, code in codes.items() if code]
    return ", ".join(failed) if failed else "0"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"


def _calls(trial: Trial) -> str:
    if not trial.ran:
        return "-"
    if trial.refused_calls is None:
        return trial.calls_note or "not observed"
    shown = trial.refused_calls
    if len(shown) > _CALLS_SHOWN:
        return f"{', '.join(shown[:_CALLS_SHOWN])} and {len(shown) - _CALLS_SHOWN} more"
    return ", ".join(shown) or "none"


def _item(compared: Compared) -> dict[str, object]:
    trial = compared.trial
    return {
        "runtime": trial.runtime,
        "handler": trial.handler,
        "version": trial.version,
        "boundary": str(trial.boundary),
        "outcome": str(trial.ending),
        "reason": trial.reason,
        "exitCodes": trial.exit_codes,
        "differs": list(compared.differs),
        "output": [_difference(each) for each in compared.lines],
        "startSeconds": trial.start_seconds,
        "runSeconds": trial.run_seconds,
        "peakMemoryBytes": trial.memory,
        "refusedCalls": None if trial.refused_calls is None else list(trial.refused_calls),
        "refusedCallsNote": trial.calls_note,
    }


def _difference(line: LineDifference) -> dict[str, object]:
    return {
        "container": line.container,
        "stream": line.stream,
        "line": line.line,
        "reference": line.reference,
        "found": line.found,
    }
