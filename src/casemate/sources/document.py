"""One decoded object together with the place that it came from."""

from __future__ import annotations

from dataclasses import dataclass

from casemate.model.inventory import KubeObject
from casemate.sources.marks import Marks, Step, steps


@dataclass(frozen=True, slots=True)
class Document:
    """An object, the file and line where it begins, and the position of each of its fields."""

    object: KubeObject
    file: str
    line: int
    marks: Marks

    def where(self, path: str | tuple[Step, ...] = "") -> str:
        """`file:line:column` of a field such as `spec.containers[0].image`, or of the nearest one around it."""
        here = self.marks.at(steps(path) if isinstance(path, str) else path)
        return f"{self.file}:{here.line}:{here.column}"
