"""Work inside another network namespace without moving the process there.

A thread enters the namespace, does the work and ends; the rest of the process stays where it is. Sockets opened there
belong to the namespace for as long as they live, and commands started there run in it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from casemate.errors import RuntimeFault

_CLONE_NEWNET = 0x40000000
_NAMED = Path("/run/netns")
_libc = ctypes.CDLL(None, use_errno=True)

_Result = TypeVar("_Result")


def named(name: str) -> Path:
    """Where `ip netns` keeps the namespace `name`."""
    return _NAMED / name


def inside(namespace: Path, work: Callable[[], _Result]) -> _Result:
    """What `work` returns when it runs in the network namespace held at `namespace`."""

    def enter_and_work() -> _Result:
        _enter(namespace)
        return work()

    # The worker thread is never reused: it cannot come back.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(enter_and_work).result()


def _enter(namespace: Path) -> None:
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RuntimeFault(f"no network namespace: {error.strerror}", where=str(namespace)) from None
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET):
            raise RuntimeFault(
                f"cannot enter the network namespace: {os.strerror(ctypes.get_errno())}", where=str(namespace)
            )
    finally:
        os.close(descriptor)
