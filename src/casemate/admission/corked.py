"""A connection on which what is written in one turn of the event loop leaves in one piece.

Uvicorn writes the head of an answer and its body apart: that is two TLS records and two packets for an answer of some
hundred bytes, and wakes who waits for it twice.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Corked(asyncio.Transport):
    """Wraps a connection's transport: as much of it as a server of HTTP uses."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: Any) -> None:
        """Send it when this turn of the loop ends, behind what was written in it before."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def close(self) -> None:
        """Send what is left, and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._parts.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take no more from the other side for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on with that."""
        self._transport.resume_reading()
