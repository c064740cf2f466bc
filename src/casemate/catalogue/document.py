"""Pages made from the catalogue: `python -m casemate.catalogue.document docs/reference`.

1. Each rule has a page of its own, `rules/<ID>.md`: findings link to it, so its name never changes.
2. `rules/README.md` lists them, `predicates.md` lists what a `when:` may ask, `doors.md` which files are doors.
3. A page says no more than its row. A page without a row is removed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from casemate.catalogue.conditions import predicates, shown
from casemate.catalogue.doors import doors
from casemate.catalogue.rows import Relevances, Row, Rule
from casemate.catalogue.tables import Catalogue, load

_GROUPS: Final = (
    ("CM0", "The boundary itself"),
    ("CM1", "Privileges"),
    ("CM2", "The node's resources"),
    ("CM3", "Kernel filters"),
    ("CM4", "Identity and network"),
    ("CM5", "Images"),
    ("CM6", "Annotations that change the sandbox"),
    ("CM7", "Hygiene"),
    ("CM8", "What is left of Docker"),
)
_BEHIND: Final = (
    ("shared", "the shared kernel (runc, crun, youki)"),
    ("hardened", "the shared kernel, hardened"),
    ("sandbox", "a sandbox (gVisor)"),
    ("wasm", "a sandbox (Wasm)"),
    ("vm", "a virtual machine (Kata)"),
    ("confidential", "a confidential virtual machine"),
)
_OPENED: Final = {
    "read": "A read-only mount is enough",
    "write": "It takes a mount that may be written",
    "below": "A read-only mount that is not recursive, on a shared kernel",
}
_SCOPES: Final = {
    "any": "Any workload",
    "pod": "The Pod specification",
    "identity": "What it is",
    "container": "A container (init, sidecar or main)",
    "image": "A container's image",
    "node": "Nodes on which it can land",
    "class": "Its RuntimeClass",
    "exposure": "Who reaches it",
    "rights": "What its service account may do",
    "assessment": "The assessment itself",
}


def pages(catalogue: Catalogue) -> Mapping[str, str]:
    """Every page by its path below `docs/reference`."""
    rules = {f"rules/{rule.id}.md": rule_page(rule) for rule in catalogue.rules}
    return {**rules, "rules/README.md": _index(catalogue), "predicates.md": _predicates(), "doors.md": _doors()}


def write(catalogue: Catalogue, folder: Path) -> None:
    """Write all pages below a folder, and remove pages of rules that are no more."""
    wanted = pages(catalogue)
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    for old in (folder / "rules").glob("*.md"):
        if f"rules/{old.name}" not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def rule_page(rule: Rule) -> str:
    """One rule's page, in Markdown."""
    return "\n".join(
        (
            f"# {rule.id}: {rule.title}",
            "",
            f"> {rule.message}",
            "",
            "## Why",
            "",
            rule.why,
            "",
            "## What to do",
            "",
            rule.fix,
            "",
            "## What it means",
            "",
            *_relevance(rule.relevance),
            "",
            "## When it is found",
            "",
            *_condition(rule),
            "",
            f"Source: {rule.source} ({rule.certainty}, {rule.date}).",
            "",
        )
    )


def _relevance(relevance: Relevances) -> Iterator[str]:
    yield "| behind | it |"
    yield "|---|---|"
    for name, words in _BEHIND:
        value = getattr(relevance, name) or relevance.sandbox
        yield f"| {words} | {'**matters**' if value == 'matters' else f'is {value}'} |"
    if relevance.because:
        yield ""
        yield f"{relevance.because[0].upper()}{relevance.because[1:]}."


def _condition(rule: Rule) -> Iterator[str]:
    yield f"`{shown(rule.when)}` ([what these words ask](../predicates.md))"
    if rule.path:
        yield ""
        yield f"Field: `{rule.path}`."


def _index(catalogue: Catalogue) -> str:
    lines = [
        "# Rules",
        "",
        "What `casemate assess` may find in a manifest, made from",
        "[hardening.yaml](../../../src/casemate/catalogue/hardening.yaml) and",
        "[leftovers.yaml](../../../src/casemate/catalogue/leftovers.yaml). Ids are stable.",
        "A rule's weight depends on the boundary: each page says where it matters.",
        "",
    ]
    for prefix, title in _GROUPS:
        rules = [rule for rule in catalogue.rules if rule.id.startswith(prefix)]
        rows = ((f"[{rule.id}]({rule.id}.md) {rule.title}", rule.message) for rule in rules)
        lines += _table(title, ("rule", "found when"), rows)
    return "\n".join(lines)


def _predicates() -> str:
    lines = [
        "# What a condition may ask",
        "",
        "Rows of the catalogue have a `when:`. It is the name of a predicate, `{name: argument}`, `{all: [...]}`,",
        "`{any: [...]}` or `{not: ...}`. `casemate catalogue show ID` shows a row as it is written; a file of your own",
        "(`--catalogue`) adds rows or replaces those of the same id. Made from",
        "[predicates.yaml](../../src/casemate/catalogue/predicates.yaml).",
        "",
        "What is asked of nodes, classes, exposure and rights is false when nothing is known of them.",
        "",
    ]
    for scope, title in _SCOPES.items():
        found = (row for row in predicates().values() if row.scope == scope)
        rows = ((f"`{row.name}`", row.arguments, row.meaning) for row in found)
        lines += _table(title, ("predicate", "arguments", "true for"), rows)
    return "\n".join(lines)


def _doors() -> str:
    lines = [
        "# Doors to the node",
        "",
        "Files of the node that no boundary holds, once a Pod mounts them: who may open them needs no bug to leave.",
        "A mount is a door when it is the path, lies below it, or contains it; `*` stands for one name. Where it",
        "is one, `casemate assess` says that the workload has `shared`, whatever its class. Made from",
        "[doors.yaml](../../src/casemate/catalogue/doors.yaml).",
        "",
    ]
    for by, title in _OPENED.items():
        found = (row for row in doors().values() if row.by == by)
        rows = ((", ".join(f"`{path}`" for path in row.paths), row.gives, _said(row)) for row in found)
        lines += _table(title, ("paths", "what an attacker gets", "source"), rows)
    return "\n".join(lines)


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield from (f"## {title}", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head))
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _said(row: Row) -> str:
    return f"{row.source} ({row.certainty}, {row.date})"


if __name__ == "__main__":
    write(load(), Path(sys.argv[1]))
