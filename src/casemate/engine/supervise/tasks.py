"""Tasks whose unforeseen failure ends the supervisor: it is started afresh, which is safer than a Pod nobody keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Tasks:
    """A set of running tasks. An exception that leaves one goes to the event loop's exception handler."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run `work` in the background."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Ask all to end."""
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{task.get_name()} failed", "exception": error}
            )
