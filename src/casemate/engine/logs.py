"""Container logs in CRI's format: `TIME STREAM TAG TEXT`, one entry per line of the file.

1. TAG is F for a whole line and P for a part of one that was too long; parts are put together again.
2. `tail` counts entries from the end, as a kubelet does.
3. Following ends when the container has ended and all that it wrote was read.

Source: k8s.io/cri-client/pkg/logs, containerd's pkg/cri/io/logger.go.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from casemate.errors import InputError

POLL_SECONDS = 0.1
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Entry:
    """One line or part of a line, as it was written at `time` (RFC 3339); `whole` says that the line ends with it."""

    time: str
    stream: str
    text: bytes
    whole: bool

    def render(self, *, timestamp: bool) -> bytes:
        """The text as a terminal should get it."""
        start = self.time.encode() + b" " if timestamp else b""
        return start + self.text + (b"\n" if self.whole else b"")


def parse(line: bytes) -> Entry:
    """The entry in one line of the file. What is not in CRI's format is text as it stands."""
    parts = line.removesuffix(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return Entry("", "stdout", line.removesuffix(b"\n"), whole=True)
    tags = parts[2].split(b":")
    return Entry(parts[0].decode("ascii", "replace"), parts[1].decode(), b"".join(parts[3:]), whole=tags[0] != b"P")


def tail_start(stream: BinaryIO, entries: int) -> int:
    """Where in the file the last `entries` entries begin."""
    end = stream.seek(0, os.SEEK_END)
    wanted, at = entries + 1, end  # the newline that ends the entry before
    while at > 0:
        size = min(_BLOCK, at)
        stream.seek(at - size)
        block = stream.read(size)
        place = size
        while (place := block.rfind(b"\n", 0, place)) >= 0:
            wanted -= 1
            if not wanted:
                return at - size + place + 1
        at -= size
    return 0


async def read(
    path: Path, *, tail: int | None = None, running: Callable[[], Awaitable[bool]] | None = None
) -> AsyncIterator[Entry]:
    """The entries of the log at `path`, all or the last `tail`; with `running`, also those to come while that holds.

    Raises `InputError` when there is no log.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read the container's log: {error.strerror}", where=str(path)) from None
    with stream:
        stream.seek(0 if tail is None else tail_start(stream, tail))
        last_round = running is None
        rest = b""
        while True:
            while line := stream.readline():
                rest += line
                if rest.endswith(b"\n"):
                    yield parse(rest)
                    rest = b""
            if last_round or not running:
                return
            last_round = not await running()
            if not last_round:
                await asyncio.sleep(POLL_SECONDS)
