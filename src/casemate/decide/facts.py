"""What a workload says about itself: names with places, read once, so that no rule walks its containers again.

1. Facts bear the names of the predicates that ask for them (catalogue/predicates.yaml): a mark is a name with the
   places where it holds, a value is a name with texts and theirs.
2. A place is a path from the Pod's specification, also to a field that is not there yet: that is where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

Places: TypeAlias = tuple[str, ...]

Values: TypeAlias = tuple[tuple[str, str], ...]
"""Texts with their places."""

POD: Final[Places] = ("",)
"""Holds for the workload as a whole, not for one field."""


@dataclass(slots=True)
class Facts:
    """`marks` are plain facts, `values` those with a text, such as a capability's name, and the text's place."""

    marks: dict[str, Places] = field(default_factory=dict)
    values: dict[str, Values] = field(default_factory=dict)
    containers: list[str] = field(default_factory=list)

    def mark(self, name: str, place: str = "") -> None:
        """Note that `name` holds at `place`."""
        marks = self.marks
        marks[name] = (*marks[name], place) if name in marks else (place,)

    def value(self, name: str, text: str, place: str) -> None:
        """Note that `name` is `text` at `place`."""
        values = self.values
        values[name] = (*values[name], (text, place)) if name in values else ((text, place),)
