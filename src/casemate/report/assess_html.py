"""An assessment as one HTML file that needs nothing else: no network, no JavaScript.

1. The content security policy allows the file's own style by its digest and nothing more.
2. Everything that came from outside is escaped; links leave the file only to https addresses of the catalogue.
3. The matrix of need and has comes first; each number links to its workloads, which stand in the same cells below.
4. Standing and gaps are words and shapes; colours repeat them. Tables have captions and headers and scroll alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from casemate.model.boundary import Boundary
from casemate.report.assess_document import SHAPES, STOPPED, Assessment, Entry, Standing
from casemate.report.assess_html_workload import grid, workload
from casemate.report.assess_table import headline
from casemate.report.assess_text import markup, title

_NEEDS = tuple(boundary for boundary in Boundary if boundary is not Boundary.UNKNOWN)
_LISTED = 200
_EXCUSED = (Standing.ACCEPTED, Standing.KNOWN)
_Cells = dict[tuple[Boundary, Boundary], list[int]]


def assessment_html(assessment: Assessment) -> Iterator[str]:
    """The page, in pieces: with thousands of workloads it is large."""
    return (f"{piece}\n" for piece in _page(assessment))


def _page(assessment: Assessment) -> Iterator[str]:
    yield from _head()
    yield from _header(assessment)
    yield '<main id="main">'
    yield from _notices(assessment)
    yield from _matrix(assessment)
    yield from _workloads(assessment)
    yield from _rules(assessment)
    yield from _escapes(assessment)
    yield from _exceptions(assessment)
    yield "</main>"
    yield f"<footer><p>Made by casemate {markup(assessment.version)}. A boundary that is declared or resolved is not"
    yield "yet proven; counts of escapes are no probabilities.</p></footer>\n</body>\n</html>"


@cache
def _style() -> str:
    return files("casemate.report").joinpath("assess_html.css").read_text(encoding="utf-8")


def _head() -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{markup(policy)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>Isolation of workloads</title>\n<style>{_style()}</style>\n</head>\n<body>"


def _header(assessment: Assessment) -> Iterator[str]:
    inputs = ", ".join(f"<code>{markup(each)}</code>" for each in assessment.inputs)
    yield '<a class="skip" href="#workloads">Skip to the workloads</a>'
    yield f'<header>\n<h1>Isolation of workloads</h1>\n<p class="headline">{markup(headline(assessment))}</p>'
    if inputs:
        yield f'<p class="soft">Assessed: {inputs}</p>'
    links = [
        ("matrix", "Need and has"),
        ("workloads", "Workloads"),
        ("rules", "Rules"),
        ("escapes", "Reference escapes"),
    ]
    links += [("exceptions", "Exceptions")] if assessment.exceptions else []
    items = "".join(f'<li><a href="#{anchor}">{text}</a></li>' for anchor, text in links)
    yield f'<nav aria-label="Sections"><ul>{items}</ul></nav>\n</header>'


def _notices(assessment: Assessment) -> Iterator[str]:
    for each in assessment.missed:
        yield f'<div class="notice"><p><strong>Not looked at:</strong> {markup(each)}</p></div>'
    if assessment.skipped:
        items = "".join(f"<li>{markup(each)}</li>" for each in assessment.skipped)
        summary = f"<summary>Skipped: {len(assessment.skipped)}</summary>"
        yield f'<details class="rule">{summary}<div class="body"><ul>{items}</ul></div></details>'


def _cells(assessment: Assessment) -> _Cells:
    cells: _Cells = defaultdict(list)
    for number, entry in enumerate(assessment.entries):
        cells[entry.item.need.boundary, entry.item.has.boundary].append(number)
    return cells


def _matrix(assessment: Assessment) -> Iterator[str]:
    cells = _cells(assessment)
    yield '<section aria-labelledby="matrix">\n<h2 id="matrix">Need and has</h2>'
    yield '<div class="scroll" role="region" aria-label="Need and has" tabindex="0">\n<table class="matrix">'
    yield (
        "<caption>Workloads by the boundary that they need (rows) and have (columns). ✗ has less than it needs, "
        "! only accepted or known gaps, ✓ has enough.</caption>"
    )
    heads = "".join(f'<th scope="col">has {boundary}</th>' for boundary in Boundary)
    yield f'<thead><tr><td></td>{heads}<th scope="col">all</th></tr></thead>\n<tbody>'
    for need in _NEEDS:
        row = "".join(_cell(need, has, cells.get((need, has), []), assessment) for has in Boundary)
        total = sum(len(cells.get((need, has), [])) for has in Boundary)
        yield f'<tr><th scope="row">needs {need}</th>{row}<td>{total}</td></tr>'
    yield "</tbody>\n</table>\n</div>\n</section>"


def _cell(need: Boundary, has: Boundary, numbers: list[int], assessment: Assessment) -> str:
    if not numbers:
        return '<td class="none"><span aria-hidden="true">·</span><span class="hidden">none</span></td>'
    standing = _of_cell(need, has, [assessment.entries[number] for number in numbers])
    said = {Standing.GAP: "below need", Standing.ACCEPTED: "accepted or known", Standing.OK: "enough"}[standing]
    shape = f'<span aria-hidden="true">{SHAPES[standing]}</span>'
    link = f'<a href="#{_anchor(need, has)}">{shape}{len(numbers)}<span class="hidden"> {said}</span></a>'
    return f'<td class="{standing}">{link}</td>'


def _of_cell(need: Boundary, has: Boundary, entries: list[Entry]) -> Standing:
    if has >= need:
        return Standing.OK
    return Standing.ACCEPTED if all(entry.standing in _EXCUSED for entry in entries) else Standing.GAP


def _anchor(need: Boundary, has: Boundary) -> str:
    return f"needs-{need}-has-{has}"


def _workloads(assessment: Assessment) -> Iterator[str]:
    yield '<section aria-labelledby="workloads">\n<h2 id="workloads">Workloads</h2>'
    if not assessment.entries:
        yield "<p>None found.</p>"
    # Cells stand in the order of their worst workload, since entries come worst first.
    for (need, has), numbers in _cells(assessment).items():
        yield f'<h3 id="{_anchor(need, has)}">Needs {need}, has {has}: {len(numbers)}</h3>'
        for number in numbers:
            is_open = number == 0 and assessment.entries[0].standing is not Standing.OK
            yield from workload(assessment.entries[number], f"w{number}", assessment, is_open=is_open)
    yield "</section>"


def _rules(assessment: Assessment) -> Iterator[str]:
    found: defaultdict[str, dict[int, None]] = defaultdict(dict)
    for number, entry in enumerate(assessment.entries):
        for judged in entry.findings:
            found[judged.finding.rule][number] = None
    yield '<section aria-labelledby="rules">\n<h2 id="rules">Rules</h2>'
    if not found:
        yield "<p>No findings.</p>"
    for rule_id, numbers in sorted(found.items()):
        rule = assessment.rule(rule_id)
        yield f'<details class="rule" id="rule-{markup(rule_id)}"><summary><code>{markup(rule_id)}</code> '
        yield f'<span class="name">{markup(rule.title)}</span> · {len(numbers)}</summary>\n<div class="body">'
        yield "".join(f"<p>{markup(text)}</p>" for text in (rule.why, rule.fix) if text)
        links = [
            f'<li><a href="#w{number}">{markup(title(assessment.entries[number].item.workload))}</a></li>'
            for number in numbers
        ]
        more = f"<li>and {len(numbers) - _LISTED} more</li>" if len(numbers) > _LISTED else ""
        yield f"<ul>{''.join(links)}{more}</ul>\n</div></details>"
    yield "</section>"


def _escapes(assessment: Assessment) -> Iterator[str]:
    now: Counter[str] = Counter()
    after: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for entry in assessment.entries:
        for row in entry.item.escapes.rows:
            seen[row.id] += 1
            now[row.id] += row.now in STOPPED
            after[row.id] += row.after in STOPPED
    yield '<section aria-labelledby="escapes">\n<h2 id="escapes">Reference escapes</h2>'
    yield "<p>Published ways out of containers: in how many of the workloads each is stopped. Never a probability.</p>"
    rows = [(_escape(each, assessment), str(now[each]), str(after[each]), str(seen[each])) for each in sorted(seen)]
    heads = ("Escape", "Stopped now", "After the recommendations", "Of workloads")
    yield from grid("Escapes over all workloads", heads, rows, numbers=(1, 2, 3)) if rows else ["<p>None apply.</p>"]
    yield "</section>"


def _escape(escape_id: str, assessment: Assessment) -> str:
    known = assessment.escapes.get(escape_id)
    if known is None:
        return markup(escape_id)
    name = f"{markup(escape_id)} {markup(known.title)}"
    return f'<a href="{markup(known.url)}" rel="noreferrer">{name}</a>' if known.url.startswith("https://") else name


def _exceptions(assessment: Assessment) -> Iterator[str]:
    if not assessment.exceptions:
        return
    yield '<section aria-labelledby="exceptions">\n<h2 id="exceptions">Exceptions</h2>'
    rows = [
        tuple(
            markup(text)
            for text in (str(each.status), ", ".join(each.rules), each.scope, each.reason, each.owner, each.expires)
        )
        for each in assessment.exceptions
    ]
    heads = ("Status", "Rules", "Scope", "Reason", "Owner", "Until")
    yield from grid("What was accepted, by whom and until when; unused and expired ones can go", heads, rows)
    yield "</section>"
