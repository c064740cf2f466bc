"""How strongly a workload is kept from its node, as an ordered scale."""

from __future__ import annotations

from enum import IntEnum


class Boundary(IntEnum):
    """The five boundaries, weakest first, and `UNKNOWN` below them all: unknown is never assumed strong."""

    UNKNOWN = 0
    SHARED = 1
    HARDENED = 2
    SANDBOX = 3
    VM = 4
    CONFIDENTIAL = 5

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, name: str) -> Boundary:
        """The boundary of that lower-case name. Raises `KeyError` for any other word."""
        return {str(member): member for member in cls}[name]
