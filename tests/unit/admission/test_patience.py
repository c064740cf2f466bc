"""How long a call may take, with real tasks and real signals."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from casemate.admission.patience import LateError, Waits


async def looked_at(waits: Waits, task: asyncio.Task[Any]) -> None:
    """Look as the worker does, until the task has ended."""
    while not task.done():
        waits.look()
        await asyncio.sleep(0.01)


def outcome(seconds: float, awaited: Coroutine[Any, Any, Any]) -> object:
    async def run() -> object:
        waits = Waits(seconds)
        task = asyncio.create_task(waits.of(awaited))
        await looked_at(waits, task)
        assert not waits._began
        return task.exception() or task.result()

    return asyncio.run(run())


async def body() -> bytes:
    await asyncio.sleep(0)
    return b"body"


def test_a_body_that_comes_in_time_is_handed_on():
    assert outcome(60, body()) == b"body"


def test_a_body_that_does_not_come_is_late():
    assert isinstance(outcome(0.05, asyncio.sleep(60)), LateError)


def test_a_fault_while_waiting_is_that_fault():
    async def gone() -> None:
        raise ConnectionError

    assert isinstance(outcome(60, gone()), ConnectionError)


def test_only_the_wait_that_is_late_is_ended():
    async def run() -> bytes:
        waits = Waits(0.05)
        late = asyncio.create_task(waits.of(asyncio.sleep(60)))
        await looked_at(waits, late)
        early = asyncio.create_task(waits.of(body()))
        await looked_at(waits, early)
        assert isinstance(late.exception(), LateError)
        return early.result()

    assert asyncio.run(run()) == b"body"


def test_who_cancels_a_wait_for_another_reason_is_obeyed():
    async def run() -> None:
        waits = Waits(60)
        task = asyncio.create_task(waits.of(asyncio.sleep(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not waits._began

    asyncio.run(run())


JUDGING = """
import itertools, time
from casemate.admission.patience import Judging, LateError

judging = Judging(0.2)
judging.watch()
time.sleep(1)  # Nothing is judged: looks find nothing, and interrupt nothing.
for _ in range(2):
    try:
        with judging:
            for _ in itertools.repeat(None):
                pass
    except LateError:
        print("late")
with judging:
    print("in time")
time.sleep(1)
"""


def test_a_judgement_without_end_is_ended_and_the_next_one_is_not():
    done = subprocess.run([sys.executable, "-c", JUDGING], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split("\n")) == (0, ["late", "late", "in time", ""]), done.stderr
