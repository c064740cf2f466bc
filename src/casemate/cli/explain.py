"""`casemate explain`.

A name is looked for in this order: a row of the catalogue (rule, CVE, criterion, feature, runtime), a class or handler
that the catalogue knows, a workload of the inputs. A name with `/` or a blank in it is a workload.
"""

from __future__ import annotations

import difflib
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

from cyclopts import Parameter

from casemate.catalogue import tables
from casemate.catalogue.rows import Row
from casemate.catalogue.tables import Catalogue
from casemate.cli import decided
from casemate.cli.decided import Basis
from casemate.cli.explained import page_of, with_workloads
from casemate.cli.options import Output
from casemate.decide.need import of_score
from casemate.errors import InputError
from casemate.model.assessment import Assessed
from casemate.model.boundary import Boundary
from casemate.model.workload import Workload
from casemate.report.assess_document import judge
from casemate.report.assess_explain import page_json, page_text, workload_json, workload_page

_LISTED = 10
_FULL_SCORE = 100


def explain(
    name: str,
    *path: Annotated[str, Parameter(allow_leading_hyphen=True)],
    basis: Basis | None = None,
    output: Output = "table",
) -> int:
    """Open a workload, a rule, a CVE or a class to the reasons behind it.

    Parameters
    ----------
    name
        A workload (Kind/namespace/name, namespace/name or name), or an id or class of the catalogue: CM101,
        CVE-2022-0847, gvisor.
    path
        Where the workload is: manifests, folders, or - for standard input; the current folder when there is none. With
        an id of the catalogue: also say which of their workloads it is about.
    output
        table or json.
    """
    basis = basis or Basis()
    known = tables.load(basis.catalogue)
    row = None if {"/", " "} & set(name) else _row(name, known)
    if row is not None:
        page = page_of(row, known)
        if path or basis.live or basis.static_pods:
            page = with_workloads(page, row.id, decided.assess(path, basis, known).items)
        print(page_json(page) if output == "json" else page_text(page, _width()))
        return 0
    found = decided.assess(path, basis, known)
    (entry,) = judge(found.located([_only(name, found.items, known)]))
    print(workload_json(entry) if output == "json" else page_text(workload_page(entry, _scale()), _width()))
    return 0


def _row(name: str, catalogue: Catalogue) -> Row | None:
    return catalogue.row(name) or catalogue.runtimes.of_class(name) or catalogue.runtimes.of_handler(name)


def _only(name: str, items: Sequence[Assessed], catalogue: Catalogue) -> Assessed:
    matches = [item for item in items if name.casefold() in _names(item.workload)]
    if not matches:
        near = difflib.get_close_matches(name, _known(items, catalogue), 3)
        fix = f"did you mean {', '.join(near)}?" if near else "casemate assess lists the workloads"
        raise InputError("no workload, and no row of the catalogue, has that name", where=name, fix=fix)
    if len(matches) > 1:
        titles = [f"{item.workload.title} ({item.workload.source})" for item in matches]
        more = f" and {len(titles) - _LISTED} more" if len(titles) > _LISTED else ""
        fix = "name it as Kind/namespace/name, and only the file that it is in"
        raise InputError(f"is the name of {', '.join(titles[:_LISTED])}{more}", where=name, fix=fix)
    return matches[0]


def _names(workload: Workload) -> set[str]:
    """What the workload may be called, longest and shortest."""
    kind, namespace, own = workload.kind, workload.namespace, workload.name
    names = {own, f"{kind}/{own}", f"{kind} {own}", workload.title, workload.title.replace(" ", "/")}
    return {name.casefold() for name in names | {f"{namespace}/{own}"}}


def _known(items: Iterable[Assessed], catalogue: Catalogue) -> list[str]:
    rows = [row.id for table in catalogue.tables().values() for row in table]
    classes = [name for row in catalogue.runtimes.runtimes for name in row.classes if "*" not in name]
    names = [name for item in items for name in (item.workload.name, item.workload.title)]
    return list(dict.fromkeys(rows + classes + names))


def _scale() -> list[tuple[int, Boundary]]:
    """From how many points each boundary is needed."""
    least: dict[Boundary, int] = {}
    for score in range(_FULL_SCORE + 1):
        least.setdefault(of_score(score), score)
    return [(score, boundary) for boundary, score in least.items()]


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
