"""Where the programs that draw a boundary come from, and whether they are what they say.

1. A program is known by the digest of its bytes. Its version is what it says (`--version`), and proves nothing alone.
2. Only a program that the engine's configuration names is ever started, and only to ask for its version; what runs in a
   sandbox is read, never run.
3. Go notes in a program what it was built from (debug/buildinfo). A version that is said and differs from the one built
   is a lie, or the mark of one; so is a version that this Go could not have compiled (programs.yaml), or whose
   checksum is another version's (modules.yaml).
4. A file of a Debian package must be as the package has it (md5sums of dpkg: a check for changes, not a signature).
   Where package and program are of one name, the package's version begins with the program's.
5. What a program says must fit together: its commit names its version and is the one built, and it knows the runtime
   specification that came with that version.
6. A script can say of itself what it likes, and do anything.
7. Our own tools lie in a folder named by the digest of their source, and are built from the module of that name.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from casemate.engine.install.found import parse_version
from casemate.prove.gobuild import GoBuild, read_build
from casemate.prove.tasks import Digests, identity

_DPKG = Path("/var/lib/dpkg/info")
_ASKING_SECONDS = 5.0
_Row = TypeVar("_Row")
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
    build, said, package = read_build(real), _said(real), _package(real)
    return Examined(
        path=str(real),
        digest=digests.of(real),
        file=identity(real),
        version=said.version,
        origin=_origin(build, package),
        module=build.path if build else "",
        lie=next(_lies(real, said, build, package), ""),
    )


def _origin(build: GoBuild | None, package: str) -> str:
    if package:
        return f"package {package}"
    if build and build.module and build.version != _PSEUDO:
        return f"{build.module}@{build.version}"
    return f"built from {build.path}" if build and build.path else ""


def _lies(path: Path, said: Said, build: GoBuild | None, package: str) -> Iterator[str]:
    if said.script:
        yield "it is a script, which can say of itself what it likes"
    if build:
        yield from unlike_built(said, build)
    tag = re.match(r"v?(\d+\.\d.*)", said.commit)
    if tag and not tag[1].startswith(said.version):
        yield f"it says that it is version {said.version}, of commit {said.commit}"
    name, _, packaged = package.partition(" ")
    if package and not _as_packaged(path, name):
        yield f"it is not as package {name} has it"
    upstream = packaged.partition(":")[2] or packaged
    if name == path.name and said.version and not upstream.startswith(said.version):
        yield f"it says that it is version {said.version}, and its package is {upstream}"


def unlike_built(said: Said, build: GoBuild) -> Iterator[str]:
    """What a program says of itself and Go's note of its build contradicts (rules 3 and 5)."""
    built = build.version.removeprefix("v")
    if built and built != _PSEUDO and said.version and not _same(said.version, built):
        yield f"it says that it is version {said.version}, and was built from {built}"
    commit = said.commit.rpartition("-g")[2] if "-g" in said.commit else ""
    if commit and build.revision and not build.revision.startswith(commit):
        yield f"it says that it is of commit {commit}, and was built from {build.revision}"
    for known in _known("modules.yaml", _Module):
        if known.module == build.module and (known.version == build.version) != (known.sum == build.sum):
            yield f"version {build.version} has the checksum of {known.version}, or that one another"
    for floor in _known("programs.yaml", _Floor):
        if build.path == floor.program and _numbers(said.version) >= _numbers(floor.version):
            if _numbers(build.go) < _numbers(floor.go):
                yield f"version {said.version} is not built with Go {build.go}"
            if said.specification and _numbers(said.specification) < _numbers(floor.specification):
                yield f"version {said.version} knows more than specification {said.specification}"


class _Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `version` on, a program needs at least that Go and knows at least that runtime specification."""

    program: str
    version: str
    go: str
    specification: str
    source: str


class _Module(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a Go module, and its checksum."""

    module: str
    version: str
    sum: str
    source: str


@cache
def _known(file: str, row: type[_Row]) -> tuple[_Row, ...]:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, Loader=yaml.CSafeLoader), tuple[row, ...])  # type: ignore[valid-type]


@dataclass(frozen=True)
class Said:
    """What a program says of itself."""

    version: str
    commit: str = ""
    specification: str = ""
    script: bool = False


def _said(program: Path) -> Said:
    with program.open("rb") as file:
        script = file.read(2) == b"#!"
    text = _ask(str(program), "--version")
    lines = dict(line.partition(": ")[::2] for line in text.splitlines())
    return Said(parse_version(text), lines.get("commit", ""), lines.get("spec", ""), script)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version.partition("-")[0].partition("+")[0])[:2]))


def _same(said: str, built: str) -> bool:
    return said.removeprefix("v").partition("+")[0] == built.removeprefix("v").partition("+")[0]


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
