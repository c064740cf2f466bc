"""When a run has got where the user waits for it to be."""

from __future__ import annotations

from enum import Enum

from casemate.model.status import RunStatus


class Goal(Enum):
    """What `run --wait` waits for."""

    READY = "ready"
    COMPLETED = "completed"


def reached(goal: Goal, run: RunStatus) -> bool:
    """Whether the run is there, or can't get there any more because it failed or was rolled back."""
    if run.error or run.removed:
        return run.removed
    if goal is Goal.COMPLETED:
        return run.completed
    return run.ready or _cannot_become_ready(run)


def _cannot_become_ready(run: RunStatus) -> bool:
    return run.settled and run.failed and all(pod.ready or pod.phase.final for pod in run.pods)


def exit_code(goal: Goal, run: RunStatus) -> int:
    """0 when the goal was reached, 1 when something failed."""
    if run.error or run.failed:
        return 1
    return 0 if (run.completed if goal is Goal.COMPLETED else run.ready) else 1
