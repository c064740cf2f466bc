"""Which published escapes a workload's defences stop. A count of cases, never a probability.

1. An escape that needs what the workload does not have is stopped in this case, because of that.
2. One whose fix every node that the Pod can land on is known to have is stopped, because of that. Distributions bring
   fixes back under old numbers, so a kernel below the fix is not known to lack it.
3. Else it is stopped when one of the defences that are up answers `yes`. `partly`, `no` and what is not known are not
   stopped.
4. On a shared kernel the defences are those that all containers have: seccomp, user namespace, AppArmor (only where the
   manifest names a profile), and `unprivileged`: no root, no new privileges, all capabilities dropped. Behind any other
   runtime its own column counts alone: gVisor and Kata drop the Pod's seccomp and AppArmor profiles.
5. A boundary that something opened (`has`) has no defence but the default; an unknown one has none that is known.
6. Escapes that cannot happen, now as after the recommendation, are not counted; nor are those that no manifest shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from casemate.catalogue.conditions import AnyOf, Is, When, shown
from casemate.catalogue.rows import Defence, Escape
from casemate.catalogue.tables import Catalogue
from casemate.catalogue.versions import is_fixed
from casemate.decide.classes import Resolved, versions
from casemate.decide.predicates import Answers, Questions
from casemate.model.assessment import EscapeRow, Escapes, Reason
from casemate.model.boundary import Boundary

STOPPED: Final = "stopped"
PARTLY: Final = "partly"
OPEN: Final = "not stopped"
UNKNOWN: Final = "unknown"
NOT_APPLICABLE: Final = "n-a"

_LACKS: Final[dict[Defence, When]] = {
    "seccomp": Is("seccomp", ("unset", "Unconfined")),
    "lsm": Is("apparmor", ("unset", "Unconfined")),
    "unprivileged": AnyOf(
        (Is("may-be-root"), Is("privilege-escalation"), Is("capabilities-kept"), Is("capability-added"))
    ),
}
_WORDS: Final[dict[Defence, str]] = {
    "default": "the runtime's defaults",
    "seccomp": "its seccomp profile",
    "userns": "its user namespace",
    "lsm": "its AppArmor profile",
    "unprivileged": "it runs without root, capabilities and new privileges",
    "gvisor": "gVisor",
    "kata": "its own guest kernel",
    "wasm": "the Wasm sandbox",
    "confidential": "its confidential VM",
}
_VERDICTS: Final = {"yes": STOPPED, "partly": PARTLY, "no": OPEN, "unknown": UNKNOWN, "n-a": NOT_APPLICABLE}
_STRENGTH: Final = (STOPPED, NOT_APPLICABLE, PARTLY, UNKNOWN, OPEN)

Verdict: TypeAlias = tuple[str, str]
"""A word and why."""

Verdicts: TypeAlias = tuple[Verdict, ...]
"""Those of all reference escapes, in the catalogue's order."""

_KEPT: Final = 2_000
_NONE: Final = (UNKNOWN, "the boundary is not known")


class References:
    """All reference escapes, compiled among the other questions of a catalogue."""

    def __init__(self, catalogue: Catalogue, questions: Questions) -> None:
        self._catalogue = catalogue
        self._escapes = tuple(row for row in catalogue.escapes if row.when != Is("never"))
        self._reaching = questions.table(row.when for row in self._escapes)
        self._unreached = tuple((STOPPED, f"it needs {shown(row.when)}") for row in self._escapes)
        self._lacks = {defence: questions.condition(when) for defence, when in _LACKS.items()}
        self._user_namespace = questions.condition(Is("user-namespace"))
        self._unmapped = questions.condition(Is("user-namespace-unconfirmed"))
        self._against: dict[tuple[Defence, ...], tuple[Verdict, ...]] = {}
        self._rows: dict[tuple[str, Verdict, Verdict], EscapeRow] = {}
        self._known: dict[tuple[object, ...], Verdicts] = {}
        self._compared: dict[tuple[Verdicts, Verdicts], Escapes] = {}

    def defences(self, resolved: Resolved, boundary: Boundary, answers: Answers) -> tuple[Defence, ...]:
        """The defences that are up (rules 4 and 5)."""
        if resolved.row is None or boundary is Boundary.UNKNOWN:
            return ()
        if resolved.row.boundary > Boundary.HARDENED:
            return (resolved.row.defence,) if boundary > Boundary.SHARED else ("default",)
        up: list[Defence] = ["default"]
        up += [defence for defence, lacks in self._lacks.items() if not lacks(answers)]
        if resolved.row.defence != "default":
            up.append(resolved.row.defence)
        if self._user_namespace(answers) and not self._unmapped(answers):
            up.append("userns")
        return tuple(up)

    def verdicts(self, resolved: Resolved, up: tuple[Defence, ...], answers: Answers) -> Verdicts:
        """What becomes of each reference escape, in the catalogue's order."""
        reached = self._reaching.which(answers)
        key = (up, reached, resolved.nodes and resolved)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = tuple(self._decide(resolved, up, frozenset(reached)))
        return self._known[key]

    def _decide(self, resolved: Resolved, up: tuple[Defence, ...], reached: frozenset[int]) -> Iterator[Verdict]:
        for index, verdict in enumerate(self._all_against(up)):
            if verdict[0] == NOT_APPLICABLE:
                yield verdict
            elif index not in reached:
                yield self._unreached[index]
            elif fixed := _fixed(self._escapes[index], resolved):
                yield STOPPED, fixed
            else:
                yield verdict

    def broken(self, resolved: Resolved, answers: Answers) -> tuple[Reason, ...]:
        """The escapes that the runtime's version, where known, lacks a fix for and nothing else stops."""
        row = resolved.row
        if row is None or row.component is None or "known-bad-version" not in resolved.marks:
            return ()
        known = resolved.versions(row.component)
        bad = {each.id for version in known for each in self._catalogue.known_bad(row.component, version)}
        verdicts = self.verdicts(resolved, self.defences(resolved, row.boundary, answers), answers)
        return tuple(
            Reason(id=escape.id, text=f"a node's {row.component} has no fix for {escape.id}", path="runtimeClassName")
            for escape, verdict in zip(self._escapes, verdicts, strict=True)
            if escape.id in bad and verdict[0] not in (STOPPED, NOT_APPLICABLE)
        )

    def compare(self, now: Verdicts, after: Verdicts) -> Escapes:
        """The counts and the rows, now and after."""
        key = (now, after)
        if key not in self._compared:
            if len(self._compared) >= _KEPT:
                self._compared.clear()
            self._compared[key] = self._compare(now, after)
        return self._compared[key]

    def _compare(self, now: Verdicts, after: Verdicts) -> Escapes:
        rows = tuple(
            self._row(escape.id, before, later)
            for escape, before, later in zip(self._escapes, now, after, strict=True)
            if before[0] != NOT_APPLICABLE or later[0] != NOT_APPLICABLE
        )
        return Escapes(
            now=sum(row.now in _STOPPED for row in rows),
            after=sum(row.after in _STOPPED for row in rows),
            total=len(rows),
            rows=rows,
        )

    def _row(self, escape: str, before: Verdict, later: Verdict) -> EscapeRow:
        key = (escape, before, later)
        if key not in self._rows:
            because = later[1] if later[0] in _STOPPED else before[1]
            self._rows[key] = EscapeRow(id=escape, now=before[0], after=later[0], because=because)
        return self._rows[key]

    def _all_against(self, up: tuple[Defence, ...]) -> tuple[Verdict, ...]:
        if up not in self._against:
            self._against[up] = tuple(_best(row, up) for row in self._escapes)
        return self._against[up]


_STOPPED: Final = frozenset({STOPPED, NOT_APPLICABLE})


def _best(row: Escape, up: tuple[Defence, ...]) -> Verdict:
    """What the strongest of the defences makes of an escape."""
    answers = ((defence, row.by(defence)) for defence in up)
    found = [(_VERDICTS[answered.answer], answered.because or _WORDS[defence]) for defence, answered in answers]
    return min(found, key=lambda verdict: _STRENGTH.index(verdict[0]), default=_NONE)


def _fixed(row: Escape, resolved: Resolved) -> str:
    """Why every node is known to have the fix; empty when that is not known."""
    fixes = row.fixed.get(row.component, ())
    known = [tuple(versions(node, row.component)) for node in resolved.nodes] if fixes else []
    if known and all(told and all(is_fixed(version, fixes) for version in told) for told in known):
        return f"every node has a fixed {row.component}"
    return ""
