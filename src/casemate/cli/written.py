"""Files that a command writes beside its output: all of them and each whole, or none.

A file that is there is replaced by rename and keeps its mode; a device or a pipe is written to as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from casemate.errors import InputError


def check(file: Path) -> None:
    """Raise `InputError` where no file can be, before work is done that only fills one."""
    if file.is_dir():
        raise InputError("is a folder", where=str(file), fix="name a file")
    if not file.parent.is_dir():
        raise InputError("its folder is not there", where=str(file), fix=f"mkdir -p {file.parent}")


def write(files: Mapping[Path, bytes], where: Path) -> None:
    """Write them, with the folders above them. Raises `InputError` about `where`, the path that the user named."""
    try:
        with ExitStack() as leftovers:
            fresh = {}
            for file, content in files.items():
                if file.exists() and not file.is_file():
                    file.write_bytes(content)
                else:
                    real = Path(os.path.realpath(file))
                    fresh[real] = _beside(real, content, leftovers)
            for real, temporary in fresh.items():
                temporary.replace(real)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise InputError(what, where=str(where), fix="name another place") from None


def _beside(file: Path, content: bytes, leftovers: ExitStack) -> Path:
    """The content in a file next to where it goes, on the disk; gone with `leftovers` if it is still there then."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    leftovers.callback(temporary.unlink, missing_ok=True)
    with temporary.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    if file.exists():
        temporary.chmod(file.stat().st_mode & 0o777)
    return temporary
