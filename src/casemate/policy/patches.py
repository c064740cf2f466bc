"""The change of a class as a JSON Patch (RFC 6902) against the object that holds the template.

1. The class is added: that replaces one that is there, and needs no parent but the specification itself.
2. Of a class that is replaced, the overhead goes, and those entries of the node selector that it brought
   (plugin/pkg/admission/runtimeclass refuses what is left of another class).
3. Where the path to the specification cannot be told exactly, there is no patch, and so no change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from casemate.model.policy import Patch
from casemate.model.workload import Workload
from casemate.policy.classes import ClassFacts

_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[[^\[\]…]+\])*")
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")


def pointer(path: str) -> str | None:
    """The JSON pointer of a path such as `spec.tasks[0].template.spec`; None where a step cannot be told exactly."""
    if not _PATH.fullmatch(path):
        return None
    return "".join(f"/{_escaped(match[1] or match[2])}" for match in _STEP.finditer(path))


def change(workload: Workload, old: ClassFacts, new: ClassFacts) -> tuple[Patch, ...]:
    """What gives the workload its new class. The path can be told: `pointer` was asked."""
    root = pointer(workload.path)
    patch = Patch(op="add", path=f"{root}/runtimeClassName", value=new.name)
    return (patch, *_removed(workload, old, f"{root}")) if old.name else (patch,)


def _removed(workload: Workload, old: ClassFacts, root: str) -> Iterator[Patch]:
    if workload.spec.overhead:
        yield Patch(op="remove", path=f"{root}/overhead")
    for key, text in workload.spec.nodeSelector.items():
        if old.selector.get(key) == text:
            yield Patch(op="remove", path=f"{root}/nodeSelector/{_escaped(key)}")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
