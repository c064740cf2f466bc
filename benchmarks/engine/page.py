"""docs/benchmarks.md, made from the measured JSON."""

from __future__ import annotations

from typing import TypedDict

import benchmarks.engine as method

Row = dict[str, object]

HEADER = ("handler", "Pods", "raw CRI, s", "ours, s", "ours ÷ raw", "whole command, s", "podman, s", "podman ÷ ours")
COST_HEADER = ("handler", "Pods", "memory, MiB per Pod", "CPU, ms per Pod")


class Document(TypedDict):
    """What was measured, where and when."""

    date: str
    machine: dict[str, object]
    load: tuple[float, float]
    rows: list[Row]


def table(rows: list[Row]) -> str:
    """Times as a Markdown table."""
    keys = "handler pods rawSeconds engineSeconds engineOverRaw commandSeconds"
    return _markdown(HEADER, [[*(row[key] for key in keys.split()), *_peer(row)] for row in rows])


def costs(rows: list[Row]) -> str:
    """What the supervisor takes, as a Markdown table."""
    keys = "handler pods supervisorMebibytesPerPod supervisorCpuMillisecondsPerPod"
    return _markdown(COST_HEADER, [[row[key] for key in keys.split()] for row in rows])


def page(document: Document) -> str:
    """The whole page."""
    _, _, rules = (method.__doc__ or "").partition("Method:\n\n")
    machine = document["machine"]
    versions = ", ".join(str(machine[name]) for name in ("containerd", "runc", "crun", "podman") if machine.get(name))
    return "\n".join(
        (
            "# Benchmarks of the engine",
            "",
            "Made by `python -m benchmarks.engine`; do not edit by hand.",
            "",
            f"Measured on {document['date']}: {machine['cpus']} processors, Linux {machine['kernel']}; {versions}.",
            f"Load average before: {document['load'][0]}, after: {document['load'][1]}.",
            "",
            "## Time until the last Pod runs",
            "",
            table(document["rows"]),
            "",
            *_footnotes(document["rows"]),
            "## What the supervisor takes",
            "",
            costs(document["rows"]),
            "",
            "## Method",
            "",
            rules.strip(),
            "",
        )
    )


def _peer(row: Row) -> tuple[object, object]:
    if row["podmanSeconds"] is not None:
        return row["podmanSeconds"], row["podmanOverCommand"]
    alone = row["podmanRunSecondsWithoutPod"]
    return (f"fails ({alone} without Pod)" if alone else "—"), "—"


def _footnotes(rows: list[Row]) -> tuple[str, ...]:
    if not any(row["podmanRunSecondsWithoutPod"] for row in rows):
        return ()
    return (
        "*fails*: `podman kube play` makes such a Pod, and its container does not run. In brackets: `podman run` of as",
        "many containers without Pods.",
        "",
    )


def _markdown(header: tuple[str, ...], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join("—" if cell is None else str(cell) for cell in line) + " |" for line in lines)
