"""hostPath volumes: the check, or the making, that their type asks for.

1. Without a type nothing is checked; the engine makes a missing path a folder.
2. `DirectoryOrCreate` and `FileOrCreate` make what is missing (0755, 0644), root's.
3. Any other type must be there and of that kind; symlinks are followed, as a kubelet does.

Source: k8s.io/kubernetes v1.36: pkg/volume/hostpath.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from casemate.errors import InputError
from casemate.model.kube.volumes import HostPathVolumeSource

_KINDS: MappingProxyType[str, tuple[Callable[[int], bool], str]] = MappingProxyType(
    {
        "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
        "Directory": (stat.S_ISDIR, "directory"),
        "FileOrCreate": (stat.S_ISREG, "file"),
        "File": (stat.S_ISREG, "file"),
        "Socket": (stat.S_ISSOCK, "socket"),
        "CharDevice": (stat.S_ISCHR, "character device"),
        "BlockDevice": (stat.S_ISBLK, "block device"),
    }
)


def prepare(source: HostPathVolumeSource) -> Path:
    """The path to mount. Raises `InputError` when it is not what the type says."""
    path = Path(source.path)
    if not source.type:
        return path
    if source.type == "DirectoryOrCreate" and not path.exists():
        path.mkdir(mode=0o755, parents=True)
    if source.type == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    is_kind, word = _KINDS[source.type]
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(
            f"hostPath {path} does not exist", fix=f"make it, or use another type than {source.type}"
        ) from None
    if not is_kind(found):
        raise InputError(f"hostPath {path} is no {word}", fix=f"type {source.type} asks for one")
    return path
