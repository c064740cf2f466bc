"""Mounting a part of a volume, safe against a container that owns the volume.

1. The path is resolved by the kernel in one call that refuses to leave the volume (openat2, RESOLVE_BENEATH): neither
   `..`, nor an absolute symlink, nor one that is swapped in meanwhile gets out.
2. A part that is missing is made as a folder with the volume's mode, one level at a time and never through a symlink
   that leaves the volume.
3. What was opened is what is mounted: the bind's source is the descriptor, not the name. The container is given the
   bind, which it cannot change.
4. What lies outside the volume is not told in the error.

Source of the attack: CVE-2017-1002101, CVE-2021-25741 (kubelet subPath symlink races).
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath

from casemate.engine.volumes import kernel
from casemate.errors import InputError

_FOLDER = os.O_PATH | os.O_DIRECTORY
_ESCAPES = (errno.EXDEV, errno.ELOOP, errno.ENOTDIR, errno.ENOENT, errno.EAGAIN)
"""Left the volume; a symlink for a folder; a file for one; a dangling symlink; renamed again and again meanwhile."""


def bind(volume: Path, path: str, target: Path) -> None:
    """Bind `path` of the volume at `target`, making it when it is missing. Does nothing when that is already bound.

    Raises `InputError` for a path that leaves the volume.
    """
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise escape(path)
    top = os.open(volume, _FOLDER)
    try:
        part = _open_or_make(top, path)
        try:
            _bind(part, target)
        finally:
            os.close(part)
    except OSError as error:
        if error.errno in _ESCAPES:
            raise escape(path) from None
        raise
    finally:
        os.close(top)


def escape(path: str) -> InputError:
    """The error for a path that would leave its volume."""
    return InputError(
        f"subPath {path!r} cannot be reached within its volume",
        fix="use a path that no symlink leads out of the volume",
    )


def _open_or_make(top: int, path: str) -> int:
    try:
        return kernel.open_beneath(top, path, os.O_PATH)
    except FileNotFoundError:
        _make(top, PurePosixPath(path))
        return kernel.open_beneath(top, path, os.O_PATH)


def _make(top: int, path: PurePosixPath) -> None:
    mode = stat.S_IMODE(os.fstat(top).st_mode)
    for part in (*reversed(path.parents), path):
        parent = kernel.open_beneath(top, str(part.parent), _FOLDER)
        try:
            _make_one(parent, part.name, mode)
        finally:
            os.close(parent)


def _make_one(parent: int, name: str, mode: int) -> None:
    if not name:
        return
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        return
    made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        os.fchmod(made, mode)  # mkdir honours the umask; a Pod's fsGroup needs the volume's own mode
    finally:
        os.close(made)


def _bind(part: int, target: Path) -> None:
    wanted = os.fstat(part)
    if target.exists() and kernel.is_mount_point(target):
        there = target.stat()
        if (there.st_dev, there.st_ino) == (wanted.st_dev, wanted.st_ino):
            return
        kernel.unmount(target)
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    _make_target(target, is_folder=stat.S_ISDIR(wanted.st_mode))
    kernel.mount(f"/proc/self/fd/{part}", target, flags=kernel.BIND)


def _make_target(target: Path, *, is_folder: bool) -> None:
    if target.exists() and target.is_dir() != is_folder:
        target.rmdir() if target.is_dir() else target.unlink()
    if is_folder:
        target.mkdir(mode=0o750, exist_ok=True)
    else:
        target.touch(mode=0o640)
