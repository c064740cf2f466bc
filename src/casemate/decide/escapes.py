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
from dataclasses import dataclass
from typing import Final, TypeAlias

from casemate.catalogue.conditions import AnyOf, Is, When, shown
from casemate.catalogue.rows import Defence, Escape
from casemate.catalogue.tables import Catalogue
from casemate.catalogue.versions import is_fixed
from casemate.decide.classes import Resolved, versions
from casemate.decide.predicates import Answers, Condition, Questions
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
    "userns": Is("user-namespace-unsupported"),
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


@dataclass(frozen=True, slots=True)
class References:
    """All reference escapes, compiled, with what says that a defence is not up."""

    rows: tuple[tuple[Escape, Condition], ...]
    lacks: dict[Defence, Condition]
    user_namespace: Condition


def references(catalogue: Catalogue, questions: Questions) -> References:
    """Compile the escapes among the other questions."""
    return References(
        tuple((row, questions.condition(row.when)) for row in catalogue.escapes if row.when != Is("never")),
        {defence: questions.condition(when) for defence, when in _LACKS.items()},
        questions.condition(Is("user-namespace")),
    )


def defences(resolved: Resolved, boundary: Boundary, answers: Answers, compiled: References) -> tuple[Defence, ...]:
    """The defences that are up (rules 4 and 5)."""
    if resolved.row is None or boundary is Boundary.UNKNOWN:
        return ()
    if resolved.row.boundary > Boundary.HARDENED:
        return (resolved.row.defence,) if boundary > Boundary.SHARED else ("default",)
    own = (each for each in compiled.lacks if each != "userns" and not compiled.lacks[each](answers))
    mapped = compiled.user_namespace(answers) and not compiled.lacks["userns"](answers)
    return ("default", *own, *(("userns",) if mapped else ()))


def verdicts(
    resolved: Resolved, up: tuple[Defence, ...], answers: Answers, compiled: References
) -> Iterator[tuple[Escape, Verdict]]:
    """What becomes of each reference escape."""
    for row, reaches in compiled.rows:
        yield row, _verdict(row, resolved, up, reached=bool(reaches(answers)))


def _verdict(row: Escape, resolved: Resolved, up: tuple[Defence, ...], *, reached: bool) -> Verdict:
    best = _best(row, up)
    if best[0] == NOT_APPLICABLE:
        return best
    if not reached:
        return STOPPED, f"it needs {shown(row.when)}"
    if fixed := _fixed(row, resolved):
        return STOPPED, fixed
    return best


def _best(row: Escape, up: tuple[Defence, ...]) -> Verdict:
    found: list[Verdict] = []
    for defence in up:
        answered = row.by(defence)
        found.append((_VERDICTS[answered.answer], answered.because or _WORDS[defence]))
    return min(found, key=lambda verdict: _STRENGTH.index(verdict[0]), default=(UNKNOWN, "the boundary is not known"))


def _fixed(row: Escape, resolved: Resolved) -> str:
    """Why every node is known to have the fix; empty when that is not known."""
    for component, fixes in row.fixed.items():
        known = [tuple(versions(node, component)) for node in resolved.nodes]
        if known and all(told and all(is_fixed(version, fixes) for version in told) for told in known):
            return f"every node has a fixed {component}"
    return ""


def broken(resolved: Resolved, answers: Answers, compiled: References, catalogue: Catalogue) -> tuple[Reason, ...]:
    """The escapes that the runtime's version, where known, lacks a fix for and nothing else stops."""
    row = resolved.row
    if row is None or row.component is None or "known-bad-version" not in resolved.marks:
        return ()
    bad = {
        each.id for version in resolved.versions(row.component) for each in catalogue.known_bad(row.component, version)
    }
    up = defences(resolved, row.boundary, answers, compiled)
    return tuple(
        Reason(id=escape.id, text=f"a node's {row.component} has no fix for {escape.id}", path="runtimeClassName")
        for escape, verdict in verdicts(resolved, up, answers, compiled)
        if escape.id in bad and verdict[0] != STOPPED
    )


def compare(now: Iterator[tuple[Escape, Verdict]], after: Iterator[tuple[Escape, Verdict]]) -> Escapes:
    """The count and the rows, now and after."""
    rows = tuple(
        EscapeRow(id=row.id, now=before[0], after=later[0], because=later[1] if later[0] == STOPPED else before[1])
        for (row, before), (_, later) in zip(now, after, strict=True)
        if (before[0], later[0]) != (NOT_APPLICABLE, NOT_APPLICABLE)
    )
    return Escapes(
        now=sum(row.now in (STOPPED, NOT_APPLICABLE) for row in rows),
        after=sum(row.after in (STOPPED, NOT_APPLICABLE) for row in rows),
        total=len(rows),
        rows=rows,
    )
