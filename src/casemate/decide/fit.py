"""How a workload's features fare under a runtime.

1. Every row of fits whose condition holds has an outcome for each runtime: that of the first of its families with a
   cell; on shared kernels no cell means that it works, elsewhere that nobody tested it.
2. What fails stops the runtime from being recommended. What behaves differently needs somebody's consent. What nobody
   tested is said, and stops nothing.
3. A workload with a user namespace is of family `userns` first: some volumes and all host namespaces fail there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from casemate.catalogue.conditions import asked, predicates
from casemate.catalogue.rows import Cell, Family, Fit, Runtime
from casemate.catalogue.tables import Catalogue
from casemate.decide.facts import Places
from casemate.decide.findings import under
from casemate.decide.predicates import Answers, Questions, Table
from casemate.model.assessment import Blocker, Outcome

Features: TypeAlias = tuple[tuple[int, Places], ...]
"""The rows that concern a workload, by number, and where."""

_OF_CLASSES: Final = frozenset({"class", "node"})


class Fits:
    """All rows, compiled among the other questions of a catalogue."""

    def __init__(self, catalogue: Catalogue, questions: Questions) -> None:
        self._rows = catalogue.fits
        own = [index for index, row in enumerate(catalogue.fits) if not _asks_class(row)]
        of_class = [index for index, row in enumerate(catalogue.fits) if _asks_class(row)]
        self._own = (own, questions.table(self._rows[index].when for index in own))
        self._of_class = (of_class, questions.table(self._rows[index].when for index in of_class))
        self._cells: dict[tuple[Family, ...], tuple[Cell | None, ...]] = {}

    def features(self, answers: Answers) -> Features:
        """The rows that concern a workload whatever its class."""
        return _features(*self._own, answers)

    def blockers(
        self, features: Features, answers: Answers, runtime: Runtime, root: str, *, user_namespace: bool
    ) -> tuple[Blocker, ...]:
        """Everything that does not simply work under a runtime, what fails first."""
        cells = self._under(families(runtime, user_namespace=user_namespace))
        found = [
            _blocker(self._rows[index], cell, runtime, under(root, places[0] or self._rows[index].path))
            for index, places in (*features, *_features(*self._of_class, answers))
            if (cell := cells[index]) is not None
        ]
        return tuple(sorted(found, key=lambda blocker: _ORDER[blocker.outcome])) if len(found) > 1 else tuple(found)

    def _under(self, stands: tuple[Family, ...]) -> tuple[Cell | None, ...]:
        """The cells of a runtime's families, by row; None where it simply works."""
        if stands not in self._cells:
            cells = (row.cell(stands) for row in self._rows)
            self._cells[stands] = tuple(None if cell.outcome is Outcome.WORKS else cell for cell in cells)
        return self._cells[stands]


def _features(numbers: list[int], table: Table, answers: Answers) -> Features:
    return tuple((numbers[index], places) for index, places in table.holding(answers))


def _asks_class(row: Fit) -> bool:
    known = predicates()
    return any(known[each.predicate].scope in _OF_CLASSES for each in asked(row.when))


def _blocker(row: Fit, cell: Cell, runtime: Runtime, path: str) -> Blocker:
    text = f"{row.title}: {cell.text}" if cell.text else row.title
    return Blocker(id=row.id, runtime=runtime.id, outcome=cell.outcome, text=text, path=path.replace("[*]", "[0]"))


def families(runtime: Runtime, *, user_namespace: bool) -> tuple[Family, ...]:
    """Where a runtime stands in the table (rule 3)."""
    own = runtime.families
    return ("userns", *own) if user_namespace and own[:1] == ("runc",) else own


_ORDER = {Outcome.FAILS: 0, Outcome.DIFFERS: 1, Outcome.UNTESTED: 2, Outcome.WORKS: 3}


def fails(found: Iterable[Blocker]) -> bool:
    """Whether one of them keeps the workload from running as it should."""
    return any(blocker.outcome is Outcome.FAILS for blocker in found)
