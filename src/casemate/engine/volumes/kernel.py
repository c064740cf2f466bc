"""System calls that Python lacks: mount(2), umount2(2) and openat2(2).

Errors are `OSError`s, as in `os`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from pathlib import Path

BIND = 4096
NO_FOLLOW = 8

_DETACH = 2
_OPENAT2 = 437
_RESOLVE_NO_XDEV, _RESOLVE_NO_MAGICLINKS, _RESOLVE_BENEATH = 0x01, 0x02, 0x08
_RETRIES = 64
_OCTAL = re.compile(r"\\([0-7]{3})")
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system, or bind a file or folder."""
    words = (source, str(target), kind, options)
    source_, target_, kind_, options_ = (ctypes.c_char_p(os.fsencode(word)) if word else None for word in words)
    if _libc.mount(source_, target_, kind_, ctypes.c_ulong(flags), options_):
        raise _error(str(target))


def unmount(target: Path) -> None:
    """Take the topmost mount at `target` out of this namespace at once, even while it is in use."""
    if _libc.umount2(os.fsencode(target), _DETACH | NO_FOLLOW):
        raise _error(str(target))


def open_beneath(folder: int, path: str, flags: int) -> int:
    """Open `path` below the folder whose descriptor is given; symlinks are followed only where they stay below it.

    Raises `OSError` with EXDEV (or ELOOP) for a path that leaves the folder, also when somebody moves it meanwhile.
    """
    return _openat2(folder, path, flags, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted at `path` itself, also a bind mount of the same file system."""
    parent = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        os.close(_openat2(parent, path.name, os.O_PATH | os.O_NOFOLLOW, _RESOLVE_NO_XDEV))
    except OSError as error:
        if error.errno == errno.EXDEV:
            return True
        if error.errno == errno.ENOENT:
            return False
        raise
    finally:
        os.close(parent)
    return False


def mount_points(folder: Path) -> tuple[Path, ...]:
    """Every mount at or below `folder` in this namespace, the newest first: the order in which to unmount."""
    lines = Path("/proc/self/mountinfo").read_bytes().decode(errors="surrogateescape").splitlines()
    points = (_unescaped(line.split(" ", 5)[4]) for line in reversed(lines))
    inside = f"{folder}/"  # compared as text: a node of many Pods has thousands of mounts
    return tuple(Path(point) for point in points if f"{point}/".startswith(inside))


def _openat2(folder: int, path: str, flags: int, resolve: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    for _ in range(_RETRIES):
        found: int = _libc.syscall(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if found >= 0:
            return found
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: a rename raced with us
            break
    raise _error(path)


def _unescaped(field: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), field) if "\\" in field else field


def _error(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
