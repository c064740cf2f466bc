"""Making a volume writable for a Pod's fsGroup.

1. Every file gets the group, and the group's right to read it, and to write it unless the volume is read-only; folders
   also the right to enter and the set-group-id bit, so that new files get the group too.
2. `fsGroupChangePolicy: OnRootMismatch` leaves a volume alone whose top already has group and rights.
3. Symlinks are never followed: a former Pod may have left some, a running one may race with us.

Source: k8s.io/kubernetes v1.36: pkg/volume/volume_linux.go.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_READ_WRITE, _READ_ONLY, _ENTER = 0o660, 0o440, 0o110


def give(folder: Path, group: int, *, read_only: bool = False) -> None:
    """Give the volume at `folder` to `group`, with all that is in it."""
    for _, _, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        _give_one(".", descriptor, group, read_only)
        for name in files:
            _give_one(name, descriptor, group, read_only)


def needs_giving(folder: Path, group: int, *, read_only: bool = False) -> bool:
    """Whether the top of the volume lacks the group or its rights."""
    top = folder.stat()
    wanted = (_READ_ONLY if read_only else _READ_WRITE) | _ENTER | stat.S_ISGID
    return top.st_gid != group or top.st_mode & wanted != wanted


def _give_one(name: str, parent: int, group: int, read_only: bool) -> None:
    file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    try:
        mode = os.fstat(file).st_mode
        if stat.S_ISLNK(mode):
            os.chown(name, -1, group, dir_fd=parent, follow_symlinks=False)
            return
        exact = Path(f"/proc/self/fd/{file}")  # not the name again: it may be another file by now
        os.chown(exact, -1, group)
        mask = _READ_ONLY if read_only else _READ_WRITE
        exact.chmod(stat.S_IMODE(mode) | mask | (_ENTER | stat.S_ISGID if stat.S_ISDIR(mode) else 0))
    finally:
        os.close(file)
