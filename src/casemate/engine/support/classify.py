"""What becomes of each field that a Pod sets, decided before anything starts.

1. Every set field has a verdict: that of its row in `fields.yaml`, or of the nearest field around it.
2. The first case of the row that fits counts instead: by the runtime's family, by a condition, or by both.
3. A field is reported where its row is; structs whose inner fields have rows are reported by those.
4. A refused field stops the run. `--allow-degraded` gives up refused security fields, and those only: what is left of
   the Pod runs, and the user is told what is lost. Other refused fields are things that the Pod cannot do here at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from casemate.engine.support.conditions import CONDITIONS, Asked
from casemate.engine.support.table import Case, Family, Row, Table, family, load
from casemate.model.handler import Handler, NodeFacts
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.workloads import Pod
from casemate.model.support import EngineFeatures, FieldNote, Verdict
from casemate.sources.problems import printable

_LONGEST = 60
_UNKNOWN = EngineFeatures()


def classify(
    pod: Pod, handler: Handler | None, node: NodeFacts, features: EngineFeatures = _UNKNOWN
) -> tuple[FieldNote, ...]:
    """The verdict on every field that the Pod sets, in the order of the API.

    `handler` is the one that its class resolved to; None when it is not known. `features` are the engine's for it.
    """
    if pod.spec is None:
        return ()
    return tuple(_Classifier(load(), family(handler), pod.spec, node, features).notes(pod.spec, "", ""))


def refusals(notes: Iterable[FieldNote], *, allow_degraded: bool) -> tuple[FieldNote, ...]:
    """The notes that stop the run."""
    refused = (note for note in notes if note.verdict is Verdict.REFUSED)
    return tuple(note for note in refused if not (allow_degraded and note.security))


def degraded(notes: Iterable[FieldNote]) -> tuple[FieldNote, ...]:
    """The notes on fields that `--allow-degraded` gives up."""
    return tuple(note for note in notes if note.verdict is Verdict.REFUSED and note.security)


@dataclass(frozen=True, slots=True)
class _Classifier:
    table: Table
    family: Family | None
    spec: PodSpec
    node: NodeFacts
    features: EngineFeatures

    def notes(self, struct: msgspec.Struct, pattern: str, path: str) -> Iterator[FieldNote]:
        """The notes on the set fields of a struct."""
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            if value is None or value == () or value == {}:
                continue
            inner = f"{pattern}.{name}" if pattern else name
            here = f"{path}.{name}" if path else name
            yield from self._value(value, inner, here)

    def _value(self, value: object, pattern: str, path: str) -> Iterator[FieldNote]:
        row = self.table.row(pattern)
        below = self.table.has_rows_below(pattern)
        if row and (self.table.has_row(pattern) or not below):
            note = self._note(row, value, path)
            if note.verdict is Verdict.REFUSED or not below:
                yield note
                return
        if isinstance(value, msgspec.Struct):
            yield from self.notes(value, pattern, path)
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                yield from self.notes(item, f"{pattern}[]", f"{path}[{index}]")

    def _note(self, row: Row, value: object, path: str) -> FieldNote:
        fitting = self._case(row, value)
        return FieldNote(
            path=path,
            value=_shown(value),
            verdict=fitting.verdict if fitting else row.verdict,
            note=fitting.note if fitting else row.note,
            security=row.security,
        )

    def _case(self, row: Row, value: object) -> Case | None:
        asked = Asked(value, self.spec, self.node, self.features)
        for case in row.cases:
            if case.runtime in (None, self.family) and (case.when is None or CONDITIONS[case.when](asked)):
                return case
        return None


def _shown(value: object) -> str:
    """A value in a few words. Lists are counted, as variables may hold what nobody else should read."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return printable(value, _LONGEST)
        case tuple():
            if all(isinstance(each, str | int) for each in value) and len(value) <= 4:
                return ", ".join(map(_shown, value))
            names = [getattr(each, "name", None) for each in value]
            if len(names) <= 4 and all(isinstance(each, str) for each in names):
                return printable(", ".join(map(str, names)), _LONGEST)
            return f"{len(value)} items"
        case dict():
            return printable(", ".join(value), _LONGEST)
        case msgspec.Struct():
            kind = getattr(value, "type", None) or getattr(value, "name", None)
            return _shown(kind) if isinstance(kind, str) else ""
        case _:
            return ""
