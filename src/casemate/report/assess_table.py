"""An assessment for a terminal: what failed first, and what to do about it in one sentence each.

1. Names come last in a line and are never cut, so that they can be copied; sentences are wrapped.
2. Standing is a word and a shape; colour only repeats it.
3. What is as it should be takes one line. The last lines say how many there are of each, and what to do next.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Callable, Iterator

from rich.style import Style

from casemate.model.acceptance import ExceptionStatus
from casemate.model.assessment import Outcome, Recommendation
from casemate.report.assess_document import SHAPES, Assessment, Entry, Standing
from casemate.report.assess_text import handle, place, title, visible

_STYLES = {
    Standing.GAP: Style(color="red", bold=True),
    Standing.WEAK: Style(color="red"),
    Standing.KNOWN: Style(color="yellow"),
    Standing.ACCEPTED: Style(color="yellow"),
    Standing.OK: Style(color="green"),
}
_BOLD = Style(bold=True)
_DIM = Style(dim=True)
_INDENT = "  "
_LISTED = 5
_Paint = Callable[[str, Style], str]


def table(assessment: Assessment, width: int = 80, *, colour: bool = False) -> str:
    """The workloads as a person reads them, at most `width` columns where names allow it."""
    paint: _Paint = _coloured if colour else _plain
    if not assessment.entries:
        return "\n".join(["no workloads found", *_missed(assessment, width)])
    lines = [paint(f"{'STATE':<11}{'NEEDS':<13}{'HAS':<13}{'WEAK':>4}  WORKLOAD", _BOLD)]
    for entry in assessment.entries:
        lines.extend(_lines(entry, width, paint))
    lines += ["", *_summary(assessment, width, paint)]
    return "\n".join(lines)


def _coloured(text: str, style: Style) -> str:
    return style.render(text)


def _plain(text: str, _: Style) -> str:
    return text


def _lines(entry: Entry, width: int, paint: _Paint) -> Iterator[str]:
    item = entry.item
    state = paint(f"{SHAPES[entry.standing]} {entry.standing:<9}", _STYLES[entry.standing])
    weak = str(len(entry.weaknesses) or "-")
    yield f"{state}{item.need.boundary!s:<13}{item.has.boundary!s:<13}{weak:>4}  {title(item.workload)}"
    if entry.standing is Standing.OK and not item.recommendation.runtime_class:
        return
    yield from _wrapped(_advice(entry), width)
    yield from (paint(line, _DIM) for line in _wrapped(_details(entry), width))


def _advice(entry: Entry) -> str:
    gap = next((each for each in entry.findings if each.finding.gap), None)
    if entry.standing is Standing.ACCEPTED and gap is not None and gap.suppression is not None:
        accepted = gap.suppression
        return visible(f"Accepted by {accepted.owner} until {accepted.expires}: {accepted.reason}")
    if entry.standing is Standing.WEAK:
        rules = list(dict.fromkeys(each.finding.rule for each in entry.findings if each.matters))
        return f"Weak: {_listed(rules)}."
    return visible(entry.item.recommendation.sentence)


def _details(entry: Entry) -> str:
    item = entry.item
    parts = [place(item.workload.source)] if item.workload.source.file else []
    if item.escapes.total:
        parts.append(f"escapes stopped {item.escapes.now} → {item.escapes.after} of {item.escapes.total}")
    ruled_out: dict[str, list[str]] = {}
    for each in item.blockers:
        if each.outcome is Outcome.FAILS:
            ruled_out.setdefault(each.runtime, []).append(each.id)
    parts += [
        f"{visible(runtime)} ruled out by {_listed(list(dict.fromkeys(ids)))}" for runtime, ids in ruled_out.items()
    ]
    return " · ".join(parts)


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    return visible(", ".join(ids[:_LISTED])) + more


def _wrapped(text: str, width: int) -> list[str]:
    """Indented lines that break between words only. `textwrap` would take longer than all the rest of a table."""
    most = max(width, 40) - len(_INDENT)
    first, *words = text.split(" ")
    lines = [first]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [_INDENT + line.strip(" ") for line in lines if line]


def _summary(assessment: Assessment, width: int, paint: _Paint) -> Iterator[str]:
    yield paint(headline(assessment), _BOLD)
    for text in (_weaknesses(assessment), _exceptions(assessment), _baseline(assessment)):
        if text:
            yield from textwrap.wrap(text, max(width, 40), break_on_hyphens=False)
    yield from _missed(assessment, width)
    worst = assessment.entries[0]
    if worst.standing is not Standing.OK:
        inputs = " ".join(shlex.quote(visible(each)) for each in assessment.inputs)
        yield f"Next: casemate explain {shlex.quote(handle(worst.item.workload))} {inputs}".rstrip()


def headline(assessment: Assessment) -> str:
    """One line: how many workloads there are, and how they stand."""
    counts, total = assessment.counts, len(assessment.entries)
    words = {
        Standing.GAP: "below what they need",
        Standing.WEAK: "weak",
        Standing.KNOWN: "known from the baseline",
        Standing.ACCEPTED: "accepted",
        Standing.OK: "ok",
    }
    parts = [
        f"{counts[each]} {words[each]}" for each in Standing if counts[each] or each in (Standing.GAP, Standing.OK)
    ]
    return f"{total} workload{'' if total == 1 else 's'}: {', '.join(parts)}."


def _weaknesses(assessment: Assessment) -> str:
    matter = sum(len(entry.weaknesses) for entry in assessment.entries)
    if not matter:
        return ""
    holders = sum(bool(entry.weaknesses) for entry in assessment.entries)
    return f"{_many(matter, 'weakness', 'es')} in {_many(holders, 'workload')}: -o wide, -o html or casemate explain."


def _exceptions(assessment: Assessment) -> str:
    stale = assessment.stale()
    parts = [f"{each.status}: {each.where or each.scope} ({', '.join(each.rules)})" for each in stale[:_LISTED]]
    more = f"; and {len(stale) - _LISTED} more" if len(stale) > _LISTED else ""
    expired = any(each.status is ExceptionStatus.EXPIRED for each in stale)
    advice = "renew or remove" if expired else "remove"
    return visible(f"Exceptions to {advice}: {'; '.join(parts)}{more}.") if parts else ""


def _baseline(assessment: Assessment) -> str:
    if assessment.fixed is None:
        return ""
    known = sum(each.known for entry in assessment.entries for each in entry.findings)
    return f"Baseline: {_many(known, 'finding')} known, {assessment.fixed} gone since."


def _missed(assessment: Assessment, width: int) -> Iterator[str]:
    for each in assessment.missed:
        yield from textwrap.wrap(f"Not looked at: {visible(each)}", max(width, 40), break_on_hyphens=False)
    for each in assessment.skipped[:_LISTED]:
        yield from textwrap.wrap(f"Skipped: {visible(each)}", max(width, 40), break_on_hyphens=False)
    if len(assessment.skipped) > _LISTED:
        yield f"Skipped: {len(assessment.skipped) - _LISTED} more (-o json lists them)"


def _many(count: int, word: str, plural: str = "s") -> str:
    return f"{count} {word}{'' if count == 1 else plural}"


_COLUMNS = (
    "STATE", "NEEDS", "SCORE", "HAS", "CLASS", "HANDLER", "PROVED", "USE", "ESCAPES", "WORKLOAD", "SOURCE",
    "RULES", "RECOMMENDATION",
)  # fmt: skip


def wide(assessment: Assessment) -> str:
    """One line per workload with everything; columns are as wide as what they hold."""
    rows = [_COLUMNS, *(_wide(entry) for entry in assessment.entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(wide) for text, wide in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _wide(entry: Entry) -> tuple[str, ...]:
    item = entry.item
    rules = ",".join(dict.fromkeys(each.finding.rule for each in entry.findings if each.matters))
    escapes = item.escapes
    cells = (
        f"{SHAPES[entry.standing]} {entry.standing}",
        str(item.need.boundary),
        str(item.need.score),
        str(item.has.boundary),
        item.has.class_name or "(default)",
        item.has.handler or "?",
        str(item.has.state),
        use(item.recommendation),
        f"{escapes.now}→{escapes.after}/{escapes.total}" if escapes.total else "-",
        title(item.workload),
        place(item.workload.source) or "-",
        rules or "-",
        item.recommendation.sentence,
    )
    return tuple(visible(each) for each in cells)


def use(recommendation: Recommendation) -> str:
    """The class that is recommended, `-` when it stays as it is."""
    return recommendation.runtime_class or "-"
