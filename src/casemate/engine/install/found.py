"""The runtimes on this machine, each with the table by which containerd starts it.

Rules:

1. A runtime is there when its programs are; whether it works is another question (`casemate.engine.handlers`).
2. gVisor is started through our launcher, by its absolute path: a folder of the engine's own holds links to the
   launcher, gVisor's shim and runsc, so that the machine's PATH decides nothing.
3. gVisor's own build is preferred over one on the machine: its version is the one that was tried.
4. Kata has one handler per configuration that it ships, beside the default.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from casemate.engine.containerd.config import RUNC_SHIM, RuntimeTable
from casemate.engine.install import tools
from casemate.engine.paths import EnginePaths

WASM_LISTEN_ANNOTATION = "casemate.dev/wasm-listen"
"""On a container: the TCP ports that a Wasm module gets as open listeners, comma separated."""

_KATA = Path("/opt/kata")
_ASKING_SECONDS = 10


@dataclass(frozen=True)
class FoundRuntime:
    """A runtime that this machine has: its catalogue id, its program, and containerd's table for its handler."""

    runtime: str
    program: Path
    table: RuntimeTable


def runtimes(paths: EnginePaths) -> tuple[FoundRuntime, ...]:
    """All runtimes of this machine, in the order of their handlers' names."""
    found = (*_low_level(), *_gvisor(paths), *_wasm(), *_kata())
    return tuple(sorted(found, key=lambda each: each.table.handler))


def program_version(program: Path) -> str:
    """The version that a program tells, empty when it tells none within ten seconds."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_ASKING_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return parse_version(done.stdout)


def parse_version(said: str) -> str:
    """The version in the first line of what a program says: its word that begins with digits and has a dot."""
    first = said.strip().partition("\n")[0]
    found = re.search(r"(?:^|[\s:(v])(\d+\.\d[^\s,)]*)", first)
    if found:
        return found[1]
    return first.split()[-1] if first else ""


def prepare_gvisor(paths: EnginePaths, launcher: Path, shim: Path, runsc: Path) -> Path:
    """Make the folder of links and return the launcher's name in it: what containerd starts."""
    folder = paths.root / "runtimes" / "runsc"
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("containerd-shim-runsc-v1", launcher), ("shim", shim), ("runsc", runsc)):
        fresh = folder / f".{name}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(folder / name)
    return folder / "containerd-shim-runsc-v1"


def _low_level() -> Iterator[FoundRuntime]:
    for name in ("runc", "crun", "youki"):
        program = tools.find(name)
        if program:
            yield FoundRuntime(name, program, RuntimeTable(name, RUNC_SHIM, {"BinaryName": str(program)}))


def _gvisor(paths: EnginePaths) -> Iterator[FoundRuntime]:
    built, native = tools.gvisor(), tools.native()
    pair = (built.folder / "shim", built.folder / "runsc") if built.present else _machine_gvisor()
    if pair and native.present:
        shim = prepare_gvisor(paths, native.folder / "shim-runsc", *pair)
        yield FoundRuntime("gvisor", pair[1], RuntimeTable("runsc", str(shim)))


def _machine_gvisor() -> tuple[Path, Path] | None:
    shim, runsc = tools.find("containerd-shim-runsc-v1"), tools.find("runsc")
    return (shim, runsc) if shim and runsc else None


def _wasm() -> Iterator[FoundRuntime]:
    native = tools.native()
    if native.present and tools.find("runc"):
        program = native.folder / "wasm"
        yield FoundRuntime(
            "casemate-wasm",
            program,
            RuntimeTable(
                "wasm", RUNC_SHIM, {"BinaryName": str(program)}, container_annotations=(WASM_LISTEN_ANNOTATION,)
            ),
        )


def _kata() -> Iterator[FoundRuntime]:
    packaged = _KATA / "bin" / "containerd-shim-kata-v2"
    shim = packaged if packaged.is_file() else tools.find("containerd-shim-kata-v2")
    if not shim:
        return
    yield FoundRuntime("kata", shim, RuntimeTable("kata", str(shim)))
    for file in sorted((_KATA / "share" / "defaults" / "kata-containers").glob("**/configuration-*.toml")):
        handler = f"kata-{file.stem.removeprefix('configuration-')}"
        yield FoundRuntime("kata", shim, RuntimeTable(handler, str(shim), {"ConfigPath": str(file)}))
