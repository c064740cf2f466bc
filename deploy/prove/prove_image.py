"""Make the prober's image, without a container build: `python deploy/prove/prove_image.py OUTPUT.tar [NAME]`.

1. As the webhook's image (deploy/admit/image.py): this machine's Python, and the libraries that it is linked with; no
   shell, no package manager. casemate has what `casemate[engine,prove]` needs.
2. Beside them lies what `casemate engine install` built on this machine: the program that probes, and casemate's Wasm
   engine, by whose digest nodes' engines are known.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from prove_manifests import IMAGE

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
        image.copy(Path(folder), EXTRAS)
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


def _built() -> Iterator[Entry]:
    for program in (tools.probe().folder / "probe", tools.native().folder / "wasm"):
        if not program.is_file():
            sys.exit(f"{program} is not built: casemate engine install")
        yield File(f"{image.HOME}/.cache/casemate/{program.relative_to(CACHE)}", program, 0o755)


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else IMAGE)}\n")
