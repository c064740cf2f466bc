"""From the arguments of a command to assessed workloads: what `assess` and `explain` share."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.decide.assess import Assessor
from casemate.errors import InputError
from casemate.model.assessment import Assessed, Finding
from casemate.sources.workloads import Collected, collect


@dataclass(frozen=True)
class Found:
    """Assessed workloads, what could not be looked at, and what was nothing to assess."""

    items: tuple[Assessed, ...]
    collected: Collected

    @property
    def missed(self) -> tuple[str, ...]:
        """What exists and could not be looked at."""
        return tuple(str(each) for each in self.collected.unreached)

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was read and is nothing to assess, with the reason."""
        return tuple(str(each) for each in self.collected.skipped)

    def located(self, items: Iterable[Assessed]) -> tuple[Assessed, ...]:
        """The same with the line and column of each finding's field."""
        return tuple(replace(item, findings=tuple(self._at(item, each) for each in item.findings)) for item in items)

    def _at(self, item: Assessed, finding: Finding) -> Finding:
        if not finding.path or not item.workload.source.file:
            return finding
        place = self.collected.locate(item.workload.source, finding.path)
        return replace(finding, line=place.line, column=place.column)


def assess(inputs: Sequence[str], catalogue: Catalogue, permitted: Sequence[str] | None = None) -> Found:
    """Assess every workload of files, folders and standard input."""
    collected = collect(inputs, sys.stdin.buffer)
    assessor = Assessor(catalogue, collected.surroundings, permitted)
    return Found(tuple(assessor.assess(workload) for workload in collected.workloads), collected)


def read(path: Path) -> bytes:
    """A file that an option names."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
