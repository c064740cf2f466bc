"""Writes docs/reference/cri-conformance.md from specs.yaml and expected.yaml: `python …/conformance/table.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outcomes import HANDLERS, chosen, expected, specs

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "cri-conformance.md"
_HEAD = """# CRI conformance

The names of critest's Linux specs (kubernetes-sigs/cri-tools, `pkg/validate`), each replayed by a CRI client of
casemate's own under each handler of the embedded engine (containerd 1.6.20, runc 1.1.5, crun 1.8.1, gVisor 2026-07-01,
casemate's Wasm on wazero). The replays are not critest's code: busybox stands in for its images. They lie in
`tests/integration/cri/conformance`; a test runs them and fails when an outcome is other than here.

`pass`: it was replayed and holds. `no`: it was replayed and does not hold; why stands at the end. `—`: it was not
replayed; the reason stands in the row, or, for Wasm, the spec needs a program inside and modules only run there.

"""


def page() -> str:
    """The whole page."""
    groups = dict.fromkeys(each["group"] for each in specs())
    replayed = sum("replay" in each for each in specs())
    counted = f"{len(specs())} rows, {replayed} of them replayed.\n\n{_counts()}\n"
    return _HEAD + counted + "\n".join(map(_group, groups)) + "\n" + "\n".join(map(_reasons, HANDLERS))


def _counts() -> str:
    lines = ["| handler | pass | no |", "|---|---|---|"]
    for handler in HANDLERS:
        told = [_outcome(each, handler) for each in specs()]
        lines.append(f"| {handler} | {told.count('pass')} | {told.count('no')} |")
    return "\n".join(lines) + "\n"


def _group(group: str) -> str:
    lines = [f"## {group}", "", f"| spec | {' | '.join(HANDLERS)} |", "|---|" + "---|" * len(HANDLERS)]
    for each in specs():
        if each["group"] == group:
            told = " | ".join(_outcome(each, handler) for handler in HANDLERS)
            why = f" ({each['why']})" if "why" in each else ""
            lines.append(f"| {each['name']}{why} | {told} |".replace("RunAs|", "RunAs\\|").replace("Uid|", "Uid\\|"))
    return "\n".join(lines) + "\n"


def _outcome(spec: dict[str, Any], handler: str) -> str:
    name = spec.get("replay")
    if name is None or name not in set(chosen(handler)):
        return "—"
    return "no" if name in expected(handler) else "pass"


def _reasons(handler: str) -> str:
    rows = [
        f"- {each['name']}: {expected(handler)[each['replay']]}"
        for each in specs()
        if each.get("replay") in expected(handler)
    ]
    return f"## Why not: {handler}\n\n" + ("\n".join(rows) if rows else "Nothing that was replayed fails.") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
