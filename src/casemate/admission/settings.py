"""How the webhook is set up: what the command line says, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from casemate.errors import InputError
from casemate.model.policy import PolicySettings


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str) -> Address:
        """`:8443`, `127.0.0.1:8443`, `[::1]:8443`."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 0xFFFF:
            raise InputError(f"{option}: {text} is no address", fix="write HOST:PORT, or :PORT for every address")
        return cls(host.strip("[]") or "::", int(port))


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate that somebody else makes, such as cert-manager."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may call: certificates that this CA signed, of any of these names (all, when there is none)."""

    authority: Path
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Serving:
    """Everything that the processes of one webhook share. Times are in seconds."""

    state: Path
    listen: Address
    health: Address
    workers: int
    policy: PolicySettings
    inputs: tuple[str, ...] = ()
    kubeconfig: str | None = None
    context: str | None = None
    files: Files | None = None
    callers: Callers | None = None
    service: str = "casemate-admission"
    lifetime: float = 90 * 86400.0
    drain: float = 10.0
    audit: float = 300.0
    probe: float = 60.0
    host_names: tuple[str, ...] = ()
    catalogue: tuple[Path, ...] = field(default=())

    @property
    def in_cluster(self) -> bool:
        """Whether policies come from the API server rather than from files."""
        return not self.inputs
