"""What `node apply` would change on a node, and what it recorded of having done it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Phase: TypeAlias = Literal["writing", "restarting", "trying", "applied", "reverting"]


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it shall be: `before` is its text now (None: it is not there), `after` the text to write."""

    path: str
    before: str | None
    after: str
    why: str


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """How the runtime is restarted.

    `systemd` with the name of a unit, `command` with a shell command, `process`: it was started by hand, and is started
    again with the same arguments, environment, folder and output; `none`: it reads its drop-ins without a restart.
    """

    how: Literal["systemd", "command", "process", "none"]
    unit: str = ""
    command: str = ""
    arguments: tuple[str, ...] = ()
    program: str = ""
    environment: dict[str, str] = {}
    folder: str = "/"
    output: str = "/dev/null"


class PlannedHandler(msgspec.Struct, frozen=True, kw_only=True):
    """A handler that the plan adds or finds there (`there`), with the RuntimeClass that names it."""

    name: str
    runtime: str
    class_name: str
    there: bool
    programs: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `apply` does: nothing else is touched."""

    config_file: str
    socket: str
    changes: tuple[FileChange, ...]
    handlers: tuple[PlannedHandler, ...]
    restart: Restart
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not self.changes


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file before a change. `backup` is its copy's name in the journal's folder; empty when there was no file.

    `added` is the text that was put at its end, where the change was that and nothing else.
    """

    path: str
    backup: str
    sha256_before: str
    sha256_after: str
    added: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    attributes: dict[str, bytes] = {}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a Pod under a handler costs beyond one under the default handler: bytes and seconds.

    Medians of `tries` Pods with one container each, that ran at once. `reason` says why it could not be measured.
    """

    handler: str
    memory: int = 0
    start_seconds: float = 0.0
    default_memory: int = 0
    default_start_seconds: float = 0.0
    tries: int = 0
    reason: str = ""

    @property
    def overhead(self) -> int:
        """Bytes of memory that RuntimeClass.overhead shall add; less than 1 MiB is noise."""
        more = self.memory - self.default_memory
        return more if more >= 1 << 20 else 0


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One apply: what it changed, in order, and how far it got."""

    number: int
    phase: Phase
    kept: tuple[Kept, ...]
    folders: tuple[str, ...]
    handlers: tuple[PlannedHandler, ...]
    restart: Restart
    programs: dict[str, str] = {}
    measured: tuple[Measured, ...] = ()
    at: str = ""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What casemate did to one runtime's configuration, oldest first."""

    config_file: str
    socket: str
    applied: tuple[Applied, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How `apply` or `revert` ended. `kept_edits` are files that others changed since: their changes stayed."""

    changed: tuple[str, ...]
    handlers: tuple[PlannedHandler, ...] = ()
    measured: tuple[Measured, ...] = ()
    recovered: bool = False
    kept_edits: tuple[str, ...] = ()
