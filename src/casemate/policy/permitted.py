"""Which classes a policy permits, and with which sandbox annotations.

1. An absent `permitted` permits every class and lists no annotation.
2. An empty one permits unset only.
3. An entry permits by whole name (unset also by that of a class with the same handler), by boundary of the class (`vm`,
   `>=vm`; unknown is none), or by all of its labels of the RuntimeClass.
4. An annotation is listed by its whole name, or by what it begins with before a final `*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from casemate.model.boundary import Boundary
from casemate.model.policy import SANDBOX_ANNOTATIONS, Permit
from casemate.policy.classes import ClassFacts

_AT_LEAST: Final = ">="

_Test: TypeAlias = Callable[[ClassFacts], bool]


@dataclass(frozen=True, slots=True)
class Permitted:
    """A policy's `permitted`, compiled."""

    entries: tuple[tuple[_Test, Permit], ...] | None

    def permits(self, of: ClassFacts) -> bool:
        """Whether the policy permits the class."""
        if self.entries is None:
            return True
        if not self.entries:
            return not of.name
        return any(test(of) for test, _ in self.entries)

    def unlisted(self, of: ClassFacts, annotations: Iterable[str]) -> list[str]:
        """The annotations that no entry which permits the class lists."""
        listed = [each for test, entry in self.entries or () if test(of) for each in entry.annotations]
        return [key for key in annotations if not any(_lists(each, key) for each in listed)]


def compiled(permitted: Iterable[str | Permit] | None) -> Permitted:
    """Compile `permitted`. Boundaries are valid: `casemate.sources.policies` saw to it."""
    if permitted is None:
        return Permitted(None)
    entries = (Permit(name=each) if isinstance(each, str) else each for each in permitted)
    return Permitted(tuple((_test(each), each) for each in entries))


def sandbox_annotations(annotations: Mapping[str, str]) -> list[str]:
    """The annotations that reconfigure a sandbox."""
    return [key for key in annotations if key.startswith(SANDBOX_ANNOTATIONS)]


def _test(entry: Permit) -> _Test:
    if entry.name is not None:
        name = entry.name
        return lambda of: of.name == name or name in of.same
    if entry.boundary:
        return _of_boundary(entry.boundary)
    labels = entry.labels.items()
    return lambda of: labels <= of.labels.items()


def _of_boundary(text: str) -> _Test:
    wanted = Boundary.parse(text.removeprefix(_AT_LEAST))
    if text.startswith(_AT_LEAST):
        return lambda of: of.boundary >= wanted
    return lambda of: of.boundary is wanted


def _lists(listed: str, key: str) -> bool:
    return key.startswith(listed[:-1]) if listed.endswith("*") else key == listed
