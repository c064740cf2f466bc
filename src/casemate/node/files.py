"""Files as they lie there: owner, mode, and the folders above them. Never follows a link without saying so."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from casemate.model.node import FileFact

_KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_MOST: Final = 2_000


def fact(path: str | Path) -> FileFact | None:
    """What lies at a path, links followed; None when nothing does."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a path may be text
    except OSError:
        return None
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "other")
    return FileFact(path=str(path), kind=kind, uid=found.st_uid, gid=found.st_gid, mode=stat.S_IMODE(found.st_mode))


def facts(paths: Iterable[str | Path]) -> tuple[FileFact, ...]:
    """Those of the paths that are there."""
    return tuple(found for path in paths if (found := fact(path)) is not None)


def with_folders(path: str | Path) -> tuple[FileFact, ...]:
    """What lies at a path, and every folder above it and above what it links to."""
    places = (Path(path), Path(path).resolve())
    chain = dict.fromkeys(each for place in places for each in (place, *place.parents))
    return facts(chain)


def folders(paths: Iterable[str | Path]) -> tuple[FileFact, ...]:
    """Every folder above these paths, once."""
    return facts(dict.fromkeys(each for path in paths for each in Path(path).resolve().parents))


def below(folder: str | Path) -> tuple[FileFact, ...]:
    """A folder and all in it, in order; at most 2,000 things."""
    return facts(_walk(Path(folder)))


def _walk(folder: Path) -> Iterator[Path]:
    if not folder.exists():
        return
    yield folder
    count = 0
    for parent, _, names in os.walk(folder):
        for name in ("", *sorted(names)):
            count += 1
            if count > _MOST:
                return
            yield Path(parent, name)


def text(path: str | Path) -> str:
    """A file's text; empty when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
