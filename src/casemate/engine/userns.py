"""Ids for user namespaces: which ids of the node stand for a Pod's (`hostUsers: false`).

1. A Pod gets 65536 ids, aligned to 65536. No two Pods of any engine on this machine share one.
2. They come from 1879048192 to 2147418111, which neither users, nor /etc/subuid's usual ranges, nor systemd take.
3. The choice is a file in the Pod's folder, so it outlives a crash of the supervisor, and goes with the Pod.

Sources: k8s.io/kubernetes v1.36: pkg/kubelet/userns; systemd's "Users, Groups, UIDs and GIDs".
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from casemate.engine.paths import EnginePaths
from casemate.engine.translate.namespaces import IDS_PER_POD, IdRange
from casemate.engine.volumes.layout import pod_folder
from casemate.errors import RuntimeFault

FIRST_ID = 0x7000_0000
RANGES = 4095

_FILE = "userns"


def allocate(paths: EnginePaths, uid: str) -> IdRange:
    """The Pod's ids: those that it has, else the lowest free ones. Raises `RuntimeFault` when all are taken."""
    own = pod_folder(paths, uid) / _FILE
    with _lock(paths):
        if own.exists():
            return IdRange(int(own.read_text()))
        chosen = next_range(_taken(paths))
        own.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        new = own.with_suffix(".new")
        new.write_text(str(chosen.first))
        new.rename(own)
        return chosen


def next_range(taken: Iterable[int]) -> IdRange:
    """The lowest range whose first id is not in `taken`."""
    used = set(taken)
    for first in range(FIRST_ID, FIRST_ID + RANGES * IDS_PER_POD, IDS_PER_POD):
        if first not in used:
            return IdRange(first)
    raise RuntimeFault(
        f"all {RANGES} id ranges for user namespaces are taken", fix="take down Pods with hostUsers: false"
    )


def _taken(paths: EnginePaths) -> Iterator[int]:
    for file in paths.root.parent.glob(f"*/{paths.pods.name}/*/{_FILE}"):
        yield int(file.read_text())


@contextmanager
def _lock(paths: EnginePaths) -> Iterator[None]:
    path: Path = paths.root.parent / "userns.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
