"""Files of an image that a user gave us: a directory or a tar, read without trusting either.

1. Names are relative, without `..`; a tar that has one name twice, or an absolute one, is refused as a whole.
2. Only regular files are read. A symbolic link, hard link, device or sparse file in place of one is refused, and so is
   a symbolic link on the way to one: a layout must not make us read /etc/shadow into an image.
3. A tar's index is bounded in entries and in the length of names; nothing is unpacked.
4. A tar that is compressed as a whole is refused: its blobs could not be read in any order.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from casemate.errors import InputError

_BLOCK = 512
_MOST_ENTRIES = 100_000
_LONGEST_NAME = 1 << 16
_REGULAR = frozenset(b"0\x007")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Files(Protocol):
    """Named regular files."""

    @property
    def path(self) -> Path:
        """Where they are, for errors."""

    def names(self) -> frozenset[str]:
        """The top-level names and all that a tar holds; enough to tell one format from another."""

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """The file called `name`, positioned at its start, and its size in bytes. Raises `InputError`."""


def open_files(path: Path) -> Files:
    """The files in the directory or tar at `path`. Raises `InputError`."""
    try:
        mode = path.stat().st_mode
        return Directory(path) if stat.S_ISDIR(mode) else Tar(path, _index(path))
    except OSError as error:
        raise InputError(f"cannot read the image: {error.strerror}", where=str(path)) from None


@dataclass(frozen=True)
class Directory:
    """A directory on this machine."""

    path: Path

    def names(self) -> frozenset[str]:
        """The names right below the directory."""
        return frozenset(each.name for each in self.path.iterdir())

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """As `Files.open`; no component of `name` may be a symbolic link."""
        where = f"{self.path}: {name}"
        try:
            descriptor = _open_beneath(self.path, PurePosixPath(name))
        except OSError as error:
            raise InputError(f"cannot read the image's file: {error.strerror}", where=where) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise InputError("the image's file is no regular file", where=where)
        return os.fdopen(descriptor, "rb"), status.st_size


def _open_beneath(root: Path, name: PurePosixPath) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    current = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    for part in name.parts[:-1]:
        try:
            following = os.open(part, flags | os.O_DIRECTORY, dir_fd=current)
        finally:
            os.close(current)
        current = following
    try:
        return os.open(name.parts[-1], flags, dir_fd=current)
    finally:
        os.close(current)


@dataclass(frozen=True)
class Tar:
    """A tar file; `index` has the place and size of each regular file, None for anything else."""

    path: Path
    index: dict[str, tuple[int, int] | None]

    def names(self) -> frozenset[str]:
        """The names of all entries."""
        return frozenset(self.index)

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """As `Files.open`. The stream goes on past the file's end: read no more than its size."""
        place = self.index.get(name)
        if place is None:
            what = "the image's file is missing" if name not in self.index else "the image's file is no regular file"
            raise InputError(what, where=f"{self.path}: {name}")
        stream = self.path.open("rb")
        stream.seek(place[0])
        return stream, place[1]


def _index(path: Path) -> dict[str, tuple[int, int] | None]:
    index: dict[str, tuple[int, int] | None] = {}
    with path.open("rb") as stream:
        end = os.fstat(stream.fileno()).st_size
        _refuse_compressed(stream.read(4), path)
        at, long_name, pax_size = 0, "", None
        while (header := _header(stream, at, path)) is not None:
            size = header.size if pax_size is None or header.kind in b"xgLK" else pax_size
            content = at + _BLOCK
            at = content + -(-size // _BLOCK) * _BLOCK
            if content + size > end:
                raise InputError("the tar is cut off", where=str(path))
            if header.kind == ord("L"):
                long_name = _text(stream, content, size, path).rstrip("\0")
            elif header.kind == ord("x"):
                long_name, pax_size = _pax(_text(stream, content, size, path), long_name)
            elif header.kind not in b"gK":
                name = _clean(long_name or header.name, path)
                _add(index, name, (content, size) if header.kind in _REGULAR else None, header.kind, path)
                long_name, pax_size = "", None
    return index


@dataclass(frozen=True)
class _Header:
    name: str
    size: int
    kind: int


def _header(stream: BinaryIO, at: int, path: Path) -> _Header | None:
    stream.seek(at)
    block = stream.read(_BLOCK)
    if not block.strip(b"\0"):
        return None
    where = f"{path}: byte {at}"
    if len(block) < _BLOCK or sum(block[:148]) + 8 * 32 + sum(block[156:]) != _number(block[148:156], where):
        raise InputError("not a tar, or a damaged one", where=where)
    name = block[:100].rstrip(b"\0").decode("utf-8", "replace")
    prefix = block[345:500].rstrip(b"\0").decode("utf-8", "replace") if block[257:263] == b"ustar\0" else ""
    return _Header(f"{prefix}/{name}" if prefix else name, _number(block[124:136], where), block[156])


def _number(field: bytes, where: str) -> int:
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        if value < 1 << 63:
            return value
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise InputError("not a tar, or a damaged one", where=where) from None


def _text(stream: BinaryIO, at: int, size: int, path: Path) -> str:
    if size > _LONGEST_NAME:
        raise InputError(f"a name or header in the tar is longer than {_LONGEST_NAME} bytes", where=str(path))
    stream.seek(at)
    return stream.read(size).decode("utf-8", "replace")


def _pax(text: str, name: str) -> tuple[str, int | None]:
    size: int | None = None
    for line in text.split("\n"):
        key, _, value = line.partition(" ")[2].partition("=")
        if key == "path":
            name = value
        elif key == "size" and value.isdecimal():
            size = int(value)
    return name, size


def _clean(name: str, path: Path) -> str:
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise InputError(f"the tar has an entry that leads out of it: {name!r}", where=str(path))
    return str(PurePosixPath(name))


def _add(
    index: dict[str, tuple[int, int] | None], name: str, place: tuple[int, int] | None, kind: int, path: Path
) -> None:
    if name in index and kind != ord("5"):
        raise InputError(f"the tar has {name!r} twice", where=str(path))
    if len(index) >= _MOST_ENTRIES:
        raise InputError(f"the tar has more than {_MOST_ENTRIES} entries", where=str(path))
    index[name] = place


def _refuse_compressed(start: bytes, path: Path) -> None:
    if start.startswith((_GZIP, _ZSTD)):
        tool = "gunzip" if start.startswith(_GZIP) else "zstd -d"
        raise InputError("the tar is compressed as a whole", where=str(path), fix=f"{tool} it first")
