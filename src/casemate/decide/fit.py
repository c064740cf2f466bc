"""How a workload's features fare under a runtime.

1. Every row of fits whose condition holds has an outcome for each runtime: that of the first of its families with a
   cell; on shared kernels no cell means that it works, elsewhere that nobody tested it.
2. What fails stops the runtime from being recommended. What behaves differently needs somebody's consent. What nobody
   tested is said, and stops nothing.
3. A workload with a user namespace is of family `userns` first: some volumes and all host namespaces fail there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from casemate.catalogue.rows import Family, Fit, Runtime
from casemate.catalogue.tables import Catalogue
from casemate.decide.facts import Places
from casemate.decide.findings import under
from casemate.decide.predicates import Answers, Condition, Questions
from casemate.model.assessment import Blocker, Outcome


@dataclass(frozen=True, slots=True)
class Fits:
    """All rows, compiled."""

    rows: tuple[tuple[Fit, Condition], ...]


def fits(catalogue: Catalogue, questions: Questions) -> Fits:
    """Compile the rows among the other questions."""
    return Fits(tuple((row, questions.condition(row.when)) for row in catalogue.fits))


def features(answers: Answers, compiled: Fits) -> tuple[tuple[Fit, Places], ...]:
    """The rows that concern a workload with these answers, and where."""
    return tuple((row, places) for row, holds in compiled.rows if (places := holds(answers)))


def families(runtime: Runtime, *, user_namespace: bool) -> tuple[Family, ...]:
    """Where a runtime stands in the table (rule 3)."""
    own = runtime.families
    return ("userns", *own) if user_namespace and own[:1] == ("runc",) else own


def blockers(
    concerning: Iterable[tuple[Fit, Places]], runtime: Runtime, stands: tuple[Family, ...], root: str
) -> tuple[Blocker, ...]:
    """Everything that does not simply work under a runtime, what fails first."""
    found = [
        Blocker(
            id=row.id,
            runtime=runtime.id,
            outcome=cell.outcome,
            text=f"{row.title}: {cell.text}" if cell.text else row.title,
            path=under(root, places[0] or row.path.replace("[*]", "[0]")),
        )
        for row, places in concerning
        if (cell := row.cell(stands)).outcome is not Outcome.WORKS
    ]
    return tuple(sorted(found, key=lambda blocker: _ORDER[blocker.outcome]))


_ORDER = {Outcome.FAILS: 0, Outcome.DIFFERS: 1, Outcome.UNTESTED: 2, Outcome.WORKS: 3}


def fails(found: Iterable[Blocker]) -> bool:
    """Whether one of them keeps the workload from running as it should."""
    return any(blocker.outcome is Outcome.FAILS for blocker in found)
