"""What a run was asked to be, and the Pods made for it, kept on disk so that no process has to remember it.

    runs/<run>/run.json            the request (`RunRecord`), written once by the command line
    runs/<run>/pods/<uid>.json     one `PodRecord` per Pod, written before its sandbox is made and when it is finished
    runs/<run>/started             present once every Pod of the first round ran: from then on, no roll-back
    runs/<run>/removing            present once the run is to be removed
    runs/<run>/failure             why the start failed and was rolled back

Every file is replaced atomically.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from casemate.engine.instance import PodInstance
from casemate.errors import InputError
from casemate.model.inventory import Inventory
from casemate.model.kube.struct import Quantity
from casemate.model.status import PodStatus


class ResolvedClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a class name resolved to when the run was accepted. The empty name is the default handler's class."""

    name: str
    handler: str
    overhead: dict[str, Quantity] = {}


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run: its objects, its classes as resolved, and the image id behind every image name."""

    name: str
    created: float
    inventory: Inventory
    classes: dict[str, ResolvedClass]
    images: dict[str, str] = {}


class PodRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Pod of a run. `final` is its last status, once its phase is final, and `ended` when that was.

    `started` and `ready` are ids of containers whose probes had passed, so that a new supervisor need not ask anew
    before it lets Services use them.
    """

    instance: PodInstance
    accepted: float
    started: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    ended: float = 0.0
    start_seconds: float | None = None
    final: PodStatus | None = None


class RunFolder:
    """The files of one run."""

    def __init__(self, runs: Path, name: str) -> None:
        self.name = name
        self.path = runs / name
        self._pods = self.path / "pods"
        self._removing = self.path / "removing"
        self._started = self.path / "started"
        self._failure = self.path / "failure"

    def write(self, record: RunRecord) -> None:
        """Create the run. Raises `InputError` when a run of that name exists."""
        if (self.path / "run.json").exists():
            raise InputError(
                f"a run called {self.name!r} exists", fix=f"casemate down {self.name}, or give this one another --name"
            )
        self._pods.mkdir(parents=True, exist_ok=True)
        _replace(self.path / "run.json", msgspec.json.encode(record))

    def read(self) -> RunRecord:
        """The run's request."""
        return msgspec.json.decode((self.path / "run.json").read_bytes(), type=RunRecord)

    def write_pod(self, record: PodRecord) -> None:
        """Create or replace a Pod's record."""
        _replace(self._pods / f"{record.instance.uid}.json", msgspec.json.encode(record))

    def pods(self) -> Iterator[PodRecord]:
        """All Pods of the run, by uid."""
        for path in sorted(self._pods.glob("*.json")):
            yield msgspec.json.decode(path.read_bytes(), type=PodRecord)

    @property
    def started(self) -> bool:
        """Whether all Pods of the first round have run."""
        return self._started.exists()

    def mark_started(self) -> None:
        """The start has succeeded."""
        self._started.touch()

    @property
    def removing(self) -> bool:
        """Whether the run is to be removed."""
        return self._removing.exists()

    def mark_removing(self) -> None:
        """From now on, everything of the run is taken down, whoever restarts."""
        self._removing.touch()

    @property
    def failure(self) -> str:
        """Why the start failed, or the empty text."""
        return self._failure.read_text() if self._failure.exists() else ""

    def fail(self, reason: str) -> None:
        """Note why the start failed."""
        _replace(self._failure, reason.encode())

    def delete(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.path, ignore_errors=True)


def run_names(runs: Path) -> list[str]:
    """Names of all runs on disk."""
    return sorted(path.parent.name for path in runs.glob("*/run.json"))


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)
