"""Where an engine keeps its things. Engines of different names share nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from casemate.errors import InputError

DEFAULT_ENGINE = "default"
CACHE = Path("~/.cache/casemate").expanduser()
"""Built tools, one folder per tool and version; shared by all engines."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?")


@dataclass(frozen=True)
class EnginePaths:
    """The files of the engine called `name` (at most 16 lower-case letters, digits and dashes; else `InputError`)."""

    name: str = DEFAULT_ENGINE

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r} is no engine name",
                where="--engine",
                fix="use 1 to 16 lower-case letters, digits and dashes",
            )

    @property
    def root(self) -> Path:
        """What outlives a reboot: images, runs, volumes, logs."""
        return Path("/var/lib/casemate") / self.name

    @property
    def state(self) -> Path:
        """What a reboot clears: sockets, process ids, the mount namespace."""
        return Path("/run/casemate") / self.name

    @property
    def settings(self) -> Path:
        """`engine.json`: what `engine start` settled on (`casemate.engine.settings`)."""
        return self.root / "engine.json"

    @property
    def handlers(self) -> Path:
        """`handlers.json`: the handlers as they were last tried."""
        return self.root / "handlers.json"

    @property
    def proofs(self) -> Path:
        """`proofs.json`: the proofs that hold, with what they are bound to (`casemate.prove.keep`)."""
        return self.root / "proofs.json"

    @property
    def socket(self) -> Path:
        """containerd's CRI socket."""
        return self.state / "containerd.sock"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor answers the command line."""
        return self.state / "supervisor.sock"

    @property
    def mount_namespace(self) -> Path:
        """The engine's own mount namespace, held by a bind mount."""
        return self.state / "ns" / "mnt"

    @property
    def runs(self) -> Path:
        """One folder per run: what was asked for and how it stands."""
        return self.root / "runs"

    @property
    def pods(self) -> Path:
        """One folder per Pod uid: its volumes and generated files."""
        return self.root / "pods"

    @property
    def claims(self) -> Path:
        """Directories behind PersistentVolumeClaims."""
        return self.root / "claims"

    @property
    def logs(self) -> Path:
        """Container logs in CRI format, laid out as a kubelet lays out /var/log/pods."""
        return self.root / "logs"
