"""The tools that we build, and where they lie: one folder per tool and version, that is there whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from casemate.engine.containerd.process import search_path
from casemate.engine.paths import CACHE

GVISOR_MODULE = "gvisor.dev/gvisor"
GVISOR_VERSION = "v0.0.0-20260701204157-69c2d17aea96"
"""A commit of gVisor's `go` branch: the one that the Go tool can build."""

_CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))


@dataclass(frozen=True)
class Tool:
    """Programs of one version, in one folder of the cache. `source` is the package of the Go module that we build."""

    name: str
    version: str
    programs: tuple[str, ...]
    source: str = ""

    @property
    def folder(self) -> Path:
        """Where the programs lie once the tool is there."""
        return CACHE / self.name / self.version

    @property
    def present(self) -> bool:
        """Whether every program is there."""
        return all((self.folder / each).is_file() for each in self.programs)


def gvisor() -> Tool:
    """gVisor's `runsc` and its containerd shim (`shim`, as its module calls it)."""
    return Tool("gvisor", GVISOR_VERSION, ("runsc", "shim"))


def native() -> Tool:
    """Our own Go programs: the launcher of gVisor's shim, the Wasm runtime, and the sandbox's process."""
    return _of_ours("native", "casemate.engine.native", ("shim-runsc", "wasm", "pause"))


def probe() -> Tool:
    """Our own Go program that looks around inside a sandbox which is to be proven."""
    return _of_ours("probe", "casemate.prove.native", ("probe",))


def ours() -> tuple[Tool, ...]:
    """All that are built from our own source."""
    return native(), probe()


def _of_ours(name: str, source: str, programs: tuple[str, ...]) -> Tool:
    return Tool(name, source_digest(source), programs, source)


@cache
def source_digest(package: str) -> str:
    """What identifies the source of one of our own tools: 16 hexadecimal digits."""
    digest = sha256()
    for name, text in sorted(_sources(resources.files(package))):
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16]


def find(program: str) -> Path | None:
    """A program of the machine."""
    found = shutil.which(program, path=search_path())
    return Path(found) if found else None


def cni_plugins() -> Path | None:
    """The folder with the CNI plugins that the engine's network uses."""
    needed = ("ptp", "host-local", "loopback")
    return next((each for each in _CNI_FOLDERS if all((each / name).is_file() for name in needed)), None)


def _sources(folder: Traversable, above: str = "") -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry, f"{above}{entry.name}/")
        elif entry.name.startswith("go.") or (
            entry.name.endswith((".go", ".s")) and not entry.name.endswith("_test.go")
        ):
            found.append((above + entry.name, entry.read_bytes()))
    return found
