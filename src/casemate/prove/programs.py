"""Where the programs that draw a boundary come from, and whether they are what they say.

1. A program is known by the digest of its bytes. Its version is what it says (`--version`), and proves nothing alone.
2. Only a program that the engine's configuration names is ever started, and only to ask for its version; what runs in a
   sandbox is read, never run.
3. Go notes in a program what it was built from (debug/buildinfo). A version that is said and differs from the one built
   is a lie, or the mark of one.
4. A file of a Debian package must be as the package has it (md5sums of dpkg: a check for changes, not a signature).
   Where package and program are of one name, the package's version begins with the program's.
5. Our own tools lie in a folder named by the digest of their source, and are built from the module of that name.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from casemate.engine.install.found import program_version
from casemate.prove.gobuild import GoBuild, read_build
from casemate.prove.tasks import Digests, identity

_DPKG = Path("/var/lib/dpkg/info")
_ASKING_SECONDS = 5.0
_PSEUDO = "(devel)"


@dataclass(frozen=True)
class Examined:
    """A program of the node. `origin` says where it comes from, empty when nobody knows; `lie` what does not fit."""

    path: str
    digest: str
    file: tuple[int, int]
    version: str
    origin: str
    module: str
    lie: str = ""


def examine(path: Path, digests: Digests) -> Examined | None:
    """The program at `path`, which the engine's configuration names; None when there is none."""
    real = path.resolve()
    if not real.is_file():
        return None
    build = read_build(real)
    version = program_version(real)
    package = _package(real)
    return Examined(
        path=str(real),
        digest=digests.of(real),
        file=identity(real),
        version=version,
        origin=_origin(build, package),
        module=build.path if build else "",
        lie=next(_lies(real, version, build, package), ""),
    )


def _origin(build: GoBuild | None, package: str) -> str:
    if package:
        return f"package {package}"
    if build and build.module and build.version != _PSEUDO:
        return f"{build.module}@{build.version}"
    return f"built from {build.path}" if build and build.path else ""


def _lies(path: Path, version: str, build: GoBuild | None, package: str) -> Iterator[str]:
    built = build.version.removeprefix("v") if build else ""
    if built and built != _PSEUDO and version and not _same(version, built):
        yield f"it says that it is version {version}, and was built from {built}"
    name, _, packaged = package.partition(" ")
    if package and not _as_packaged(path, name):
        yield f"it is not as package {name} has it"
    upstream = packaged.partition(":")[2] or packaged
    if name == path.name and version and not upstream.startswith(version):
        yield f"it says that it is version {version}, and its package is {upstream}"


def _same(said: str, built: str) -> bool:
    return said.removeprefix("v").partition("+")[0] == built.partition("+")[0]


def _package(path: Path) -> str:
    """`NAME VERSION` of the Debian package that has the file; empty when none has."""
    if not _DPKG.is_dir():
        return ""
    owner = _ask("dpkg-query", "--search", str(path)).partition(": ")[0].split(",")[0].strip()
    if not owner:
        return ""
    return f"{owner.partition(':')[0]} {_ask('dpkg-query', '--show', '--showformat=${Version}', owner)}"


def _as_packaged(path: Path, package: str) -> bool:
    relative = str(path).removeprefix("/")
    for file in (_DPKG / f"{package}.md5sums", *_DPKG.glob(f"{package}:*.md5sums")):
        with suppress(OSError):
            for line in file.read_text(encoding="utf-8").splitlines():
                digest, _, name = line.partition("  ")
                if name == relative:
                    return digest == hashlib.file_digest(path.open("rb"), "md5").hexdigest()
    return False


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASKING_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
