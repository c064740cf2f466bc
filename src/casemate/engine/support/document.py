"""The reference of fields: `python -m casemate.engine.support.document > docs/reference/pod-fields.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from casemate.engine.support.table import Case, Row, Table, all_paths, load

_HEAD: Final = """\
# Fields of a Pod

What casemate's engine does with every field of PodSpec v1.36. This page is made from
[fields.yaml](../../src/casemate/engine/support/fields.yaml), by which `casemate run` decides too;
`casemate run --explain` shows it for your manifests.

- **honoured**: as a kubelet on Linux would.
- **approximated**: with the difference that the last column states.
- **refused**: cannot be done here; the run stops before anything starts. A field marked *security* may be given up with
  `--allow-degraded`, which prints what is lost; the Pod then runs without it.
- **ignored**: has no meaning on one machine without a cluster.

The last column also says when the verdict is another: under a family of runtimes (gVisor, Wasm, Kata; the rest is runc
and its like) or under a condition. Fields without a remark share that of the field around them.
"""
_SECTIONS: Final = (
    ("The Pod", ""),
    ("containers", "containers"),
    ("initContainers", "initContainers"),
    ("ephemeralContainers", "ephemeralContainers"),
    ("volumes", "volumes"),
)
_FAMILIES: Final = {"gvisor": "gVisor", "wasm": "Wasm", "kata": "Kata"}


def render(table: Table, paths: Iterable[str]) -> str:
    """The page, in Markdown."""
    lines = [_HEAD]
    listed = list(paths)
    for title, start in _SECTIONS:
        lines += [f"## {title}", "", "| field | verdict | remark |", "|---|---|---|"]
        lines += [_line(table, path) for path in listed if _section(path) == start]
        lines.append("")
    return "\n".join(lines)


def _section(path: str) -> str:
    top = path.partition(".")[0].removesuffix("[]")
    return top if top in {start for _, start in _SECTIONS} else ""


def _line(table: Table, path: str) -> str:
    row = table.row(path)
    if row is None:
        return f"| `{path}` | | see its fields |"
    mark = " *security*" if row.security else ""
    remarks = "; ".join(_remarks(row)) if table.has_row(path) else ""
    return f"| `{path}` | {row.verdict}{mark} | {remarks.replace('|', chr(92) + '|')} |"


def _remarks(row: Row) -> Iterator[str]:
    if row.note:
        yield row.note
    for case in row.cases:
        note = f" ({case.note})" if case.note else ""
        yield f"**{_when(case)}: {case.verdict}**{note}"


def _when(case: Case) -> str:
    words = [_FAMILIES[case.runtime]] if case.runtime else []
    if case.when:
        words.append(case.when.replace("-", " "))
    return ", ".join(words)


if __name__ == "__main__":
    sys.stdout.write(render(load(), all_paths()))
