"""What Go notes in a program about its build: package, main module and the module's version.

Format (debug/buildinfo of Go 1.18 and later): the ELF section `.go.buildinfo` begins with a magic of 14 bytes, the size
of a pointer and flags; with flag 2, two strings follow at offset 32, each with its length before it as a varint: Go's
version, and the module's text between two marks of 16 bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"\xff Go buildinf:"
_INLINE = 2
_STRINGS = 32
_MARK = 16
_LONGEST = 1 << 20
_SECTION = struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True)
class GoBuild:
    """What Go noted: the package of `main`, its module with version and checksum, the commit, and Go's own version."""

    path: str
    module: str
    version: str
    sum: str
    revision: str
    go: str


def read_build(program: Path) -> GoBuild | None:
    """What Go noted in the program; None when it is no Go program for Linux, or an old or broken one."""
    try:
        with program.open("rb") as file:
            return _noted(_section(file))
    except (OSError, struct.error, ValueError, IndexError, OverflowError):
        return None


def _noted(section: bytes | None) -> GoBuild | None:
    if section is None or not section.startswith(_MAGIC) or not section[15] & _INLINE:
        return None
    go, rest = _string(section[_STRINGS:])
    text, _ = _string(rest)
    return _parse(go.decode("ascii", "replace"), text[_MARK:-_MARK].decode("utf-8", "replace"))


def _parse(go: str, text: str) -> GoBuild:
    lines = [line.split("\t") for line in text.splitlines()]
    path = next((line[1] for line in lines if line[0] == "path" and len(line) > 1), "")
    module = next((line for line in lines if line[0] == "mod" and len(line) > 2), ["", "", "", ""])
    settings = dict(line[1].split("=", 1) for line in lines if line[0] == "build" and "=" in line[1])
    checksum = module[3] if len(module) > 3 else ""
    return GoBuild(path, module[1], module[2], checksum, settings.get("vcs.revision", ""), go.removeprefix("go"))


def _section(file: BinaryIO) -> bytes | None:
    """The section's bytes in a 64-bit little-endian ELF file (gabi, chapters 4 and 5)."""
    head = file.read(64)
    if head[:6] != b"\x7fELF\x02\x01":
        return None
    (table,) = struct.unpack_from("<Q", head, 0x28)
    size, count, names = struct.unpack_from("<HHH", head, 0x3A)
    if size != _SECTION.size:
        return None
    file.seek(table)
    sections = [_SECTION.unpack(file.read(size)) for _ in range(count)]
    file.seek(sections[names][4])
    text = file.read(min(sections[names][5], _LONGEST))
    for name, *_rest in sections:
        if text[name : text.find(b"\0", name)] == b".go.buildinfo":
            file.seek(_rest[3])
            return file.read(min(_rest[4], _LONGEST))
    return None


def _string(data: bytes) -> tuple[bytes, bytes]:
    length, shift, place = 0, 0, 0
    while True:
        if place >= len(data):
            raise ValueError("a string without length")
        byte = data[place]
        length |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return data[place : place + length], data[place + length :]
