"""A place in an object where rules are checked: it knows its path and collects what is wrong there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from casemate.sources.document import Document
from casemate.sources.marks import Path, Step, shown
from casemate.sources.problems import ENOUGH, Problem
from casemate.sources.rules.formats import Rule


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a document, and the list that its problems go to."""

    document: Document
    problems: list[Problem]
    path: Path = ()

    def at(self, *steps: Step) -> Place:
        """The place below this one."""
        return Place(self.document, self.problems, (*self.path, *steps))

    def note(self, what: str, fix: str = "") -> None:
        """Record a problem with this field."""
        if len(self.problems) >= ENOUGH:
            return
        self.problems.append(Problem(self.document.where(self.path), f"{shown(self.path)}: {what}", fix))

    def check(self, value: object, rule: Rule) -> None:
        """Record what the rule says against the value."""
        wrong = rule(value)
        if wrong:
            self.note(wrong)

    def require(self, value: object, advice: str = "") -> bool:
        """Record that a value is missing (unset or empty). Returns whether it is there."""
        if value in (None, "", ()):
            self.note("is missing", advice)
            return False
        return True

    def exactly_one(self, names: Collection[str], options: str) -> None:
        """Record when not exactly one of several exclusive fields is set; `names` are those that are."""
        if not names:
            self.note("nothing is chosen", f"set one of {options}")
        elif len(names) > 1:
            self.note(f"{' and '.join(names)} exclude each other", "keep one of them")

    def unique(self, names: Iterable[str | None], key: str = "name") -> None:
        """Record each item of this list that repeats an earlier one's `key`; `names` are those keys."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self.at(index, key).note(f'"{name}" is used twice')
            if name:
                seen.add(name)
