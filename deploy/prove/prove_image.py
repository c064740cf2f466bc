"""Make the prober's image, without a container build: `python deploy/prove/prove_image.py OUTPUT.tar [NAME]`.

1. As the webhook's image (deploy/admit/image.py): this machine's Python, and the libraries that it is linked with; no
   shell, no package manager. casemate and what `casemate[engine,prove]` needs are those that are installed here.
2. Beside them lies what `casemate engine install` built on this machine: the program that probes, and casemate's Wasm
   engine, by whose digest nodes' engines are known.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, requires
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from prove_manifests import IMAGE

import casemate
from casemate.engine.install import tools
from casemate.engine.paths import CACHE
from casemate.images import build
from casemate.images.build import Entry, File
from casemate.images.reference import parse

EXTRAS = ("engine", "prove")
sys.path.append(str(Path(__file__).parents[1] / "admit"))

import image  # noqa: E402


def write(output: Path, name: str) -> str:
    """Write the image; its digest."""
    with tempfile.TemporaryDirectory() as folder:
        _copy(Path(folder))
        settings = build.Settings(
            entrypoint=[f"{image.HOME}/bin/python3", "-I", "-c", "from casemate.cli.main import main; main()"],
            environment={
                "HOME": image.HOME,
                "LD_LIBRARY_PATH": f"{image.HOME}/lib",
                "PATH": f"{image.HOME}/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        return build.write(output, parse(name), [*image.entries(Path(folder)), *_built()], settings)


def _copy(folder: Path) -> None:
    """casemate and the distributions that it needs, as they are installed here."""
    shutil.copytree(Path(casemate.__file__).parent, folder / "casemate", ignore=shutil.ignore_patterns("__pycache__"))
    for name in sorted(_needed("casemate", EXTRAS) - {"casemate"}):
        found = distribution(name)
        for each in found.files or ():
            if ".." not in each.parts and "__pycache__" not in each.parts:
                (folder / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(found.locate_file(each)), folder / each)


def _needed(name: str, extras: Iterable[str] = ()) -> set[str]:
    """The distribution and all that it requires, with these extras."""
    found, choices = {name}, [{"extra": each} for each in ("", *extras)]
    for each in map(Requirement, requires(name) or ()):
        if each.marker is None or any(each.marker.evaluate(one) for one in choices):
            found |= _needed(re.sub(r"[-_.]+", "-", each.name).lower(), each.extras)
    return found


def _built() -> Iterator[Entry]:
    for program in (tools.probe().folder / "probe", tools.native().folder / "wasm"):
        if not program.is_file():
            sys.exit(f"{program} is not built: casemate engine install")
        yield File(f"{image.HOME}/.cache/casemate/{program.relative_to(CACHE)}", program, 0o755)


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else IMAGE)}\n")
