"""Writing a volume's files so that a reader sees all of the old or all of the new.

1. Files are written into a new folder `..<time>.<random>`, their modes and owner are set there.
2. `..data` is a symlink to the current such folder and is replaced by a rename.
3. What a container sees at the top of the volume are symlinks into `..data`.
4. Nothing is written when the content is already there; what is no longer wanted is removed last.

Source: k8s.io/kubernetes v1.36: pkg/volume/util/atomic_writer.go.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from casemate.engine.volumes.payload import FileContent

_DATA, _NEW_DATA = "..data", "..data_tmp"


def write(folder: Path, files: Mapping[str, FileContent], own: Callable[[Path], None]) -> None:
    """Make `files` the content of the volume at `folder`. `own` sets owners and is called before they are published."""
    data = folder / _DATA
    old = folder / data.readlink() if data.is_symlink() else None
    if old is None or _content(old) != {path: file.data for path, file in files.items()}:
        new = _written(folder, files)
        own(folder)
        _publish(folder, new)
    tops = {path.partition("/")[0] for path in files}
    for top in sorted(tops):
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"{_DATA}/{top}")
    for stale in folder.iterdir():
        if stale.is_symlink() and stale.name != _DATA and stale.name not in tops:
            stale.unlink()
    if old is not None and old != folder / data.readlink():
        shutil.rmtree(old)


def _written(folder: Path, files: Mapping[str, FileContent]) -> Path:
    new = Path(tempfile.mkdtemp(dir=folder, prefix=time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime())))
    new.chmod(0o755)
    for path, file in files.items():
        target = new / path
        for parent in reversed(target.relative_to(new).parents[:-1]):
            (new / parent).mkdir(exist_ok=True)
            (new / parent).chmod(0o755)
        target.write_bytes(file.data)
        target.chmod(file.mode)
    return new


def _publish(folder: Path, new: Path) -> None:
    link = folder / _NEW_DATA
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    link.rename(folder / _DATA)


def _content(folder: Path) -> dict[str, bytes]:
    found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
