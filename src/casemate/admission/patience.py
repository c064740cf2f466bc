"""How long a call may take: its body to arrive, and its judgement.

1. No call has a timer of its own, which would cost more than to judge it: who begins notes when, and a look at all of
   them now and then ends what takes too long. So each may last longer than it should by the time between two looks.
2. To wait for a body is to leave the event loop: there a look cancels the wait.
3. To judge is one computation, which no event loop can interrupt: there a signal looks.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

_ENDED: Final = 0.0
_SIGNALS_EVERY: Final = 0.5

_T = TypeVar("_T")


class LateError(Exception):
    """It took longer than it may."""


class Waits:
    """What is waited for in an event loop. `seconds` is how long each may last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[asyncio.Task[Any], float] = {}

    async def of(self, awaited: Awaitable[_T]) -> _T:
        """Wait for that. Raises `LateError`."""
        task = asyncio.current_task()
        assert task is not None
        self._began[task] = time.monotonic()
        try:
            return await awaited
        except asyncio.CancelledError:
            if self._began[task] != _ENDED:
                raise
            task.uncancel()
            raise LateError from None
        finally:
            del self._began[task]

    def look(self) -> None:
        """End those that last for too long."""
        oldest = time.monotonic() - self._seconds
        for task, began in self._began.items():
            if _ENDED < began < oldest:
                self._began[task] = _ENDED
                task.cancel()


class Judging:
    """The one judgement that a process is at, to be entered. `seconds` is how long it may last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = _ENDED

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._began = _ENDED

    def watch(self) -> None:
        """Have a signal look from now on: what lasts too long raises `LateError`, wherever it is."""
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, _SIGNALS_EVERY, _SIGNALS_EVERY)

    def _look(self, _number: int, _frame: object) -> None:
        if _ENDED < self._began < time.monotonic() - self._seconds:
            self._began = _ENDED
            raise LateError
