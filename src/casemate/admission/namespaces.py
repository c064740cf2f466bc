"""Ask the API server for the labels of a namespace that is not known yet: one that was just made.

1. Equal questions at the same time are asked once. Few are asked at once, and each has a second.
2. What is known stays so for a moment: a flood of requests is none for the API server.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final
from urllib.parse import quote

import structlog

from casemate.admission.judge import labels_of
from casemate.admission.kube import Kube, StatusError, Unreached
from casemate.admission.settings import Serving
from casemate.errors import CasemateError

_WITHIN: Final = 1.0
_AT_ONCE: Final = 8
_REMEMBERED: Final = 0.5
_MOST_REMEMBERED: Final = 1024

Labels = dict[str, str] | None

_log = structlog.get_logger("casemate.admission")


class Asker:
    """Questions about namespaces."""

    def __init__(self, serving: Serving) -> None:
        self._kube = Kube(serving.kubeconfig, serving.context)
        self._open: dict[str, asyncio.Task[Labels]] = {}
        self._answered: dict[str, tuple[float, Labels]] = {}
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def labels(self, name: str) -> Labels:
        """The labels, or None when the server does not tell in time."""
        when, known = self._answered.get(name, (0.0, None))
        if time.monotonic() - when < _REMEMBERED:
            return known
        task = self._open.get(name)
        if task is None:
            task = self._open[name] = asyncio.create_task(self._ask(name))
            task.add_done_callback(lambda _done: self._open.pop(name, None))
        return await asyncio.shield(task)

    async def _ask(self, name: str) -> Labels:
        try:
            async with asyncio.timeout(_WITHIN), self._few:
                found = labels_of(await self._kube.get(f"/api/v1/namespaces/{quote(name, safe='')}"))
        except (StatusError, Unreached, TimeoutError, CasemateError) as error:
            _log.warning("labels not had", namespace=name, error=str(error) or type(error).__name__)
            return self._remember(name, None)
        return self._remember(name, found)

    def _remember(self, name: str, labels: Labels) -> Labels:
        if len(self._answered) >= _MOST_REMEMBERED:
            self._answered.clear()
        self._answered[name] = (time.monotonic(), labels)
        return labels
