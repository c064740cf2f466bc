"""The user's terminal, lent to a command inside a container."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 16


def size() -> tuple[int, int]:
    """Columns and rows."""
    found = os.get_terminal_size(sys.stdin.fileno())
    return found.columns, found.lines


@contextmanager
def raw() -> Iterator[None]:
    """Every key goes to the command as it is, also Ctrl-C; the terminal is put back in any case."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)  # what was typed ahead is not lost
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def sizes() -> AsyncIterator[tuple[int, int]]:
    """The terminal's size, now and after each change."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    try:
        while True:
            changed.clear()
            yield size()
            await changed.wait()
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


async def typed() -> AsyncIterator[bytes]:
    """What comes on stdin, until its end.

    A thread reads, because stdin may be a file or /dev/null, which cannot be waited for, and must not be made
    non-blocking, because the user's shell has it too. The thread may be left waiting: it does not keep us.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)

    def read() -> None:
        with suppress(RuntimeError):  # the command has ended, and the loop with it
            while chunk := _read():
                asyncio.run_coroutine_threadsafe(queue.put(chunk), loop).result()
            asyncio.run_coroutine_threadsafe(queue.put(b""), loop).result()

    threading.Thread(target=read, daemon=True).start()
    while chunk := await queue.get():
        yield chunk


def _read() -> bytes:
    try:
        return os.read(sys.stdin.fileno(), _CHUNK)
    except OSError:  # the terminal was hung up
        return b""
