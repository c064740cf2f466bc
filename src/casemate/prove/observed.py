"""Observations in words: how one is made, and how processes and programs are told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Side
from casemate.prove.tasks import Task

NAME = "name"
"""The observation that nothing is named."""

_SHOWN = 4


def all_of(
    name: str,
    tasks: Sequence[Task],
    holds: Callable[[Task], bool],
    held: Boundary,
    failed: Boundary,
    what: str = "",
) -> Observation:
    """Whether something holds of all processes; without any, nothing was seen. `what` says it in words."""
    failing = [each for each in tasks if not holds(each)]
    if not tasks:
        return on_node(name, None, "there is no process")
    if failing:
        shown = ", ".join(f"{each.pid} ({each.program}: {_confinement(each)})" for each in failing[:_SHOWN])
        return on_node(name, failed, f"not so: {shown}")
    return on_node(name, held, f"all {len(tasks)} processes{f': {what}' if what else ''}: {_confinement(tasks[0])}")


def _confinement(task: Task) -> str:
    privileges = "no new privileges" if task.no_new_privileges else "may gain privileges"
    return f"seccomp {task.seccomp} ({task.filters} filters), {privileges}, capabilities {task.effective:#x}"


def on_node(name: str, supports: Boundary | None, value: str) -> Observation:
    """What the node's kernel shows."""
    return Observation(id=name, side=Side.NODE, value=value, supports=supports)


def said(name: str, supports: Boundary, value: str) -> Observation:
    """What was said inside."""
    return Observation(id=name, side=Side.INSIDE, value=value, supports=supports)


def nameless(subject: str, named: Boundary) -> tuple[Observation, ...]:
    """What is to be said where the catalogue knows no boundary for a subject's name; nothing where it does."""
    if named is not Boundary.UNKNOWN:
        return ()
    value = f"the catalogue knows no boundary for {subject}: nothing is named that could be shown"
    return (on_node(NAME, None, value),)


def programs(tasks: Sequence[Task]) -> str:
    """The programs of these processes, each once, with their digests."""
    found = dict.fromkeys(f"{each.program} {short(each.digest)}" for each in tasks)
    return ", ".join([*found][:_SHOWN])


def listed(words: Collection[str]) -> str:
    """Words in a row."""
    return ", ".join(sorted(filter(None, words))) or "none"


def short(digest: str) -> str:
    """The digest as far as people read it."""
    return digest[: len("sha256:") + 12]
