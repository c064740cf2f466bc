"""Rules and namespaces from files, for one machine.

1. They are read before anything is served; a mistake in them is an error then.
2. Files that change are read again. With a mistake in them, what held before holds on, and the log says why.
3. Files never tell everything that a cluster has: a class that is not in them may still exist.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from casemate.admission.published import Namespaces, Rules
from casemate.errors import CasemateError
from casemate.sources import policies as documents

_LOOKS_EVERY: Final = 0.5

_log = structlog.get_logger("casemate.admission")


def read(inputs: Sequence[str]) -> tuple[Rules, Namespaces]:
    """What the files say. Raises `InputError` with the place of each mistake."""
    found = documents.load(inputs, io.BytesIO())
    rules = Rules(
        revision=time.time_ns() // 1_000_000,
        policies=tuple(found.policies),
        exceptions=tuple(found.exceptions),
        runtime_classes=found.surroundings.runtime_classes,
        nodes=found.surroundings.nodes,
        use=found.surroundings.use,
    )
    return rules, found.surroundings.namespaces


async def follow(inputs: Sequence[str], publish: Callable[[Rules], None], name: Callable[[Namespaces], None]) -> None:
    """Publish what the files say, whenever they change. Never ends."""
    before: list[tuple[str, int, int]] = []
    while True:
        now = sorted(_stamps(inputs))
        if now != before:
            before = now
            try:
                rules, namespaces = read(inputs)
            except CasemateError as error:
                _log.error("keeping the policies that hold", error=str(error))
            else:
                name(namespaces)
                publish(rules)
        await asyncio.sleep(_LOOKS_EVERY)


def _stamps(inputs: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    for each in inputs:
        folder = Path(each)
        files = (
            (Path(root, name) for root, _, names in os.walk(folder) for name in names) if folder.is_dir() else [folder]
        )
        for file in files:
            try:
                found = file.stat()
            except OSError:
                continue
            yield str(file), found.st_ino, found.st_mtime_ns
