"""State changes while the user waits: a live table on a terminal, a line each elsewhere. On standard error."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from rich.live import Live

from casemate.model.status import RunStatus
from casemate.report.pods import pods_table, state_of
from casemate.report.screen import Screen


class Progress:
    """Shows a run on its way."""

    def __init__(self) -> None:
        self._screen = Screen(stderr=True)
        self._live: Live | None = None
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._screen.is_terminal and not os.environ.get("NO_COLOR"):
            self._live = Live(console=self._screen, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, message: str) -> None:
        """One line."""
        self._screen.print(message, soft_wrap=True)

    def show(self, run: RunStatus) -> None:
        """How the run stands now."""
        if self._live:
            self._live.update(pods_table([run]))
            return
        for pod in run.pods:
            title, state = f"{pod.namespace}/{pod.name}", state_of(pod)
            if self._said.get(title) != state:
                self._said[title] = state
                self.say(f"{title}: {state}{f': {pod.message}' if pod.message else ''}")
