"""The page of the documentation, from what the parts found."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import benchmarks.admission as method

Json = dict[str, Any]

_NAMES = {"casemate": "casemate", "gatekeeper": "Gatekeeper", "kyverno": "Kyverno", "none": "none"}

_WAYS = {"direct": "Direct", "paced": "Direct, with pauses", "API server": "Through the API server"}


def page(found: Json) -> str:
    """The whole page; parts that were not measured are missing."""
    _, _, rules = (method.__doc__ or "").partition("Method:\n\n")
    parts = [render(found[part]) for part, render in _PARTS.items() if part in found]
    head = "# Benchmarks of admission\n\nMade by `python -m benchmarks.admission`; do not edit by hand."
    return "\n\n".join([head, *parts, f"## Method\n\n{rules.strip()}"]) + "\n"


def _machine(part: Json) -> str:
    machine = part["machine"]
    load = f"load before {machine['before']}, after {machine['after']}"
    return f"Measured on {machine['day']}, {machine['processors']} processors; {load}."


def _webhook(part: Json) -> str:
    versions = ", ".join(f"{tool} {version}" for tool, version in part["versions"].items())
    lines = ["## Webhooks", _machine(part) + f" {versions}."]
    for way, title in _WAYS.items():
        rows = [each for each in part["rounds"] if each["way"] == way]
        lines += [f"### {title}", _table(rows)] if rows else []
    lines += [f"{_NAMES[tool]} could not be run: `{text.splitlines()[0]}`" for tool, text in part["problems"].items()]
    return "\n\n".join(lines)


def _table(rounds: list[Json]) -> str:
    lines = [
        "| tool | requests/s per core | casemate ÷ it | requests/s | p50, ms | p99, ms | memory, MiB | wrong, failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    by_tool = {tool: [each for each in rounds if each["tool"] == tool] for tool in _NAMES}
    ours = by_tool["casemate"] and statistics.median(map(_per_core, by_tool["casemate"]))
    for tool, rows in by_tool.items():
        if rows:
            lines.append(_row(tool, rows, ours or 0.0))
    return "\n".join(lines)


def _row(tool: str, rows: list[Json], ours: float) -> str:
    rate = ratio = memory = "—"
    if tool != "none":
        rate = _spread(rows, _per_core, 0)
        ratio = f"{ours / statistics.median(map(_per_core, rows)):.1f}"
        memory = _spread(rows, lambda row: row["mebibytes"], 0)
    answered = _spread(rows, lambda row: row["answers"] / row["seconds"], 0)
    took = " | ".join(_spread(rows, lambda row, name=name: row[name], 1) for name in ("p50", "p99"))
    bad = f"{sum(row['wrong'] for row in rows)}, {sum(row['failed'] for row in rows)}"
    return f"| {_NAMES[tool]} | {rate} | {ratio} | {answered} | {took} | {memory} | {bad} |"


def _per_core(row: Json) -> float:
    return float(row["answers"] / row["processor"]) if row["processor"] else 0.0


def _spread(rows: list[Json], value: Callable[[Json], float], digits: int) -> str:
    values = [value(row) for row in rows]
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} … {max(values):,.{digits}f})"


def _native(part: Json) -> str:
    from benchmarks.admission import native

    lines = [
        "| namespaces | policies | Pods | p50, ms | over none | p99, ms | over none | 95 % certain | own time, ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(row for count, rows in part["found"].items() if count != "compile" for row in _native_rows(count, rows)),
    ]
    sizes = ", ".join(
        f"{name}: {each['objects']} objects, {each['bytes']:,} bytes" for name, each in part["found"]["compile"].items()
    )
    head = f"## Native policies\n\n{_machine(part)}"
    how = (native.__doc__ or "").partition("\n\n")[2].strip()
    return f"{head}\n\n" + "\n".join(lines) + f"\n\nCompiled, {sizes}.\n\n{how}"


def _native_rows(count: str, rows: Json) -> Iterator[str]:
    for name, each in rows.items():
        policies, _, which = name.partition(" ")
        low, high = each["lowest_p99_over_baseline_percent"], each["highest_p99_over_baseline_percent"]
        over = [f"{each[f'{share}_over_baseline_percent']:+.1f} %" for share in ("p50", "p99")]
        pods = f"{each['pods']:,}, {'no class' if which else 'gvisor'}"
        yield (
            f"| {count.split()[0]} | {policies} | {pods} | {each['p50_ms']:.2f} | {over[0]} | {each['p99_ms']:.2f} "
            f"| {over[1]} | {low:+.1f} … {high:+.1f} % | {each['policies_ms']:.2f} |"
        )


def _evaluator(part: Json) -> str:
    from benchmarks.admission import evaluator

    lines = ["| Pods | verdicts/s per core |", "| --- | --- |"]
    for name, each in part["found"].items():
        lines.append(f"| {name} | {each['median']:,} ({each['lowest']:,} … {each['highest']:,}) |")
    head = f"## The evaluator alone, 100 policies\n\n{_machine(part)}"
    how = (evaluator.__doc__ or "").partition("\n\n")[2].strip()
    return f"{head}\n\n" + "\n".join(lines) + f"\n\n{how}"


_PARTS: dict[str, Callable[[Json], str]] = {"webhook": _webhook, "native": _native, "evaluator": _evaluator}
