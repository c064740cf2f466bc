"""How a check comes to its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from casemate.model.node import Configuration, FileFact, Look, NodeFacts, Settings, Unseen
from casemate.model.node_check import Verdict

_T = TypeVar("_T")


@dataclass(frozen=True)
class Judged:
    """A verdict with its evidence: what failed, or why it does not apply or could not be looked at."""

    verdict: Verdict
    evidence: tuple[str, ...] = ()


PASSED = Judged(Verdict.PASS)


def none_of(bad: Iterable[str]) -> Judged:
    """Fails for each of these, passes without any."""
    found = tuple(dict.fromkeys(bad))
    return Judged(Verdict.FAIL, found) if found else PASSED


def holds(condition: bool, otherwise: str) -> Judged:
    """Passes when that holds."""
    return PASSED if condition else Judged(Verdict.FAIL, (otherwise,))


def not_applicable(reason: str) -> Judged:
    """Nothing on this node that the check is about."""
    return Judged(Verdict.NOT_APPLICABLE, (reason,))


def could_not_look(reason: str) -> Judged:
    """The check's facts are not known: neither passed nor failed."""
    return Judged(Verdict.COULD_NOT_LOOK, (reason,))


def seen(look: Look[_T], judge: Callable[[_T], Judged]) -> Judged:
    """The verdict on something that was looked at."""
    return could_not_look(look.reason) if isinstance(look, Unseen) else judge(look.value)


def configured(facts: NodeFacts, judge: Callable[[Configuration], Judged]) -> Judged:
    """The verdict on the runtime's effective configuration."""
    return seen(facts.configuration, judge)


def settings(facts: NodeFacts, judge: Callable[[Settings], Judged]) -> Judged:
    """The verdict on the runtime's settings."""
    return configured(facts, lambda each: judge(each.settings))


def owned(files: Iterable[FileFact]) -> Iterable[str]:
    """Those that do not belong to root."""
    return (f"{each.path} belongs to {each.uid}:{each.gid}" for each in files if (each.uid, each.gid) != (0, 0))


def owner(files: Iterable[FileFact]) -> Iterable[str]:
    """Those whose owner is not root, whatever their group."""
    return (f"{each.path} belongs to user {each.uid}" for each in files if each.uid)


def masked(files: Iterable[FileFact], mask: int) -> Iterable[str]:
    """Those that have a bit of the mask."""
    return (f"{each.path} has mode {each.mode:04o}" for each in files if each.mode & mask)


def replaceable(folders: Iterable[FileFact]) -> Iterable[str]:
    """Folders whose entries somebody but root can replace: a sticky bit protects entries that are root's."""
    return (
        f"{each.path} has mode {each.mode:04o} and belongs to {each.uid}"
        for each in folders
        if each.kind == "folder" and (each.uid or (each.mode & 0o022 and not each.mode & 0o1000))
    )
