"""Make the webhook's image, without a container build: `python deploy/admit/image.py OUTPUT.tar [NAME]`.

1. In it are this machine's Python with its standard library, casemate and what `casemate[admission]` needs as they are
   installed here, and the shared libraries that their programs are linked with. No shell, no package manager, no
   set-uid program.
2. The result is an OCI layout in a tar (`casemate.images.build`): equal files make an equal digest. Any registry client
   pushes it: `oras copy --from-oci-layout OUTPUT.tar:TAG REGISTRY/NAME:TAG`, `skopeo copy oci-archive:OUTPUT.tar …`.
3. It runs as user 65532, and writes nowhere but to the state folder that it is given.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from objects import IMAGE
from pip._vendor.packaging.requirements import Requirement

import casemate
from casemate.images import build
from casemate.images.build import Entry, File, Folder
from casemate.images.reference import parse

HOME = "/opt/casemate"
"""Where everything of ours lies in the image."""

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = ("test", "tkinter", "idlelib", "turtledemo", "ensurepip", "lib2to3", "site-packages", "dist-packages")
_LINKED = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
_USER = 65532


def write(output: Path, name: str) -> str:
    """Write the image; its digest."""
    with tempfile.TemporaryDirectory() as folder:
        copy(Path(folder), ["admission"])
        settings = build.Settings(
            entrypoint=[f"{HOME}/bin/python3", "-I", "-c", "from casemate.cli.main import main; main()"],
            command=["admit"],
            environment={"LD_LIBRARY_PATH": f"{HOME}/lib", "PYTHONDONTWRITEBYTECODE": "1"},
            user=f"{_USER}:{_USER}",
        )
        return build.write(output, parse(name), list(entries(Path(folder))), settings)


def copy(folder: Path, extras: Iterable[str]) -> None:
    """casemate and the distributions that it needs with these extras, as they are installed here."""
    shutil.copytree(Path(casemate.__file__).parent, folder / "casemate", ignore=shutil.ignore_patterns("__pycache__"))
    try:
        needed = _needed("casemate", extras)
    except PackageNotFoundError as error:
        sys.exit(f"{error.name} is not installed here: pip install 'casemate[{','.join(extras)}]'")
    for name in sorted(needed - {"casemate"}):
        for each in distribution(name).files or ():
            if ".." not in each.parts and "__pycache__" not in each.parts:
                (folder / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(each.locate()), folder / each)


def _needed(name: str, extras: Iterable[str] = ()) -> set[str]:
    """The distribution and all that it requires, with these extras."""
    found, choices = {name}, [{"extra": each} for each in ("", *extras)]
    for each in map(Requirement, requires(name) or ()):
        if each.marker is None or any(each.marker.evaluate(one) for one in choices):
            found |= _needed(re.sub(r"[-_.]+", "-", each.name).lower(), each.extras)
    return found


def entries(packages: Path) -> Iterator[Entry]:
    """Python with its standard library, these packages, and what all of them are linked with."""
    standard = Path(sys.base_prefix) / "lib" / _VERSION
    program = Path(sys.executable).resolve()
    yield File(f"{HOME}/bin/python3", program, 0o755)
    yield from _tree(standard, f"{HOME}/lib/{_VERSION}")
    yield from _tree(packages, f"{HOME}/lib/{_VERSION}/site-packages")
    yield from _libraries([program, *standard.rglob("*.so"), *packages.rglob("*.so*")])
    yield File("/etc/passwd", f"casemate:x:{_USER}:{_USER}::/:/nonexistent\n".encode())
    yield File("/etc/ssl/certs/ca-certificates.crt", Path("/etc/ssl/certs/ca-certificates.crt"))
    yield Folder("/run/casemate", 0o700, _USER, _USER)


def _tree(root: Path, under: str) -> Iterator[Entry]:
    for entry in build.tree(root, under):
        parts = Path(entry.path).relative_to(under).parts
        if parts[0] not in _LEFT_OUT and "__pycache__" not in parts and not parts[0].startswith("config-"):
            yield entry


def _libraries(programs: list[Path]) -> Iterator[Entry]:
    """What the programs are linked with: the loader where they look for it, the rest in one folder."""
    found: dict[str, Path] = {}
    for each in programs:
        listed = subprocess.run(["ldd", str(each)], capture_output=True, text=True, check=False).stdout
        found |= {path: Path(path).resolve() for path in _LINKED.findall(listed)}
    names = {Path(path).name: file for path, file in found.items() if not path.startswith("/lib64/")}
    for name, file in sorted(names.items()):
        yield File(f"{HOME}/lib/{name}", file, 0o755)
    for path, file in sorted(found.items()):
        if path.startswith("/lib64/"):
            yield File(path, file, 0o755)


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else IMAGE)}\n")
