"""What CRI's verbose answers tell of a sandbox or a container: its process, and what is mounted into it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class _Mount(msgspec.Struct, frozen=True):
    destination: str = ""
    source: str = ""


class _Specification(msgspec.Struct, frozen=True):
    mounts: tuple[_Mount, ...] = ()


class Record(msgspec.Struct, frozen=True):
    """As containerd and CRI-O write it. `pid` is 0 where it is not told."""

    pid: int = 0
    specification: _Specification = msgspec.field(name="runtimeSpec", default_factory=_Specification)

    def mounted_from(self, destination: str) -> str:
        """What is seen at that path inside; empty where nothing is mounted there."""
        sources = [each.source for each in self.specification.mounts if each.destination == destination]
        return sources[-1] if sources else ""


def read(info: Mapping[str, str]) -> Record:
    """The record; nothing in it where it cannot be read."""
    try:
        return msgspec.json.decode(info.get("info", "{}"), type=Record)
    except msgspec.DecodeError:
        return Record()
