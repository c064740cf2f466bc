"""Take out of a Pod what `--allow-degraded` gives up, so that nothing later meets a field that cannot be honoured."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from casemate.engine.support.classify import degraded
from casemate.model.kube.pod import PodSpec
from casemate.model.support import FieldNote
from casemate.sources.marks import Path, steps


def without_degraded(spec: PodSpec, notes: Iterable[FieldNote]) -> PodSpec:
    """The specification with every refused security field unset. `notes` are `classify`'s for that specification."""
    plain = msgspec.to_builtins(spec)
    for note in degraded(notes):
        _unset(plain, steps(note.path))
    return msgspec.convert(plain, type=PodSpec)


def _unset(plain: object, path: Path) -> None:
    *around, last = path
    for step in around:
        if isinstance(plain, dict):
            plain = plain[step]
        elif isinstance(plain, list | tuple):
            plain = plain[int(step)]
    if isinstance(plain, dict):
        plain.pop(last, None)
