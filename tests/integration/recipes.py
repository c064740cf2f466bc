"""The images that the corpus of manifests names, built from Debian's busybox and files of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "examples" / "shop"))

from busybox import PATH, busybox  # noqa: E402

from casemate.images import reference  # noqa: E402
from casemate.images.build import Entry, File, Settings, write  # noqa: E402

Recipe = tuple[tuple[Entry, ...], Settings]

PLAIN = Settings(command=("sh",), environment={"PATH": PATH})
GREETER = b'#!/bin/sh\necho "entrypoint got: $*"\n'


def images(folder: Path) -> dict[str, Path]:
    """Build all of them into the folder; image name → layout."""
    recipes: dict[str, Recipe] = {
        "casemate.local/busybox:1": (busybox(), PLAIN),
        "casemate.local/entrypoint:1": (
            (*busybox(), File("/greet", GREETER, 0o755)),
            Settings(entrypoint=("/greet",), command=("by", "default"), environment={"PATH": PATH}),
        ),
        "casemate.local/health:1": ((health(folder),), Settings(entrypoint=("/health",))),
    }
    built = {}
    for name, (entries, settings) in recipes.items():
        built[name] = folder / f"{reference.parse(name).repository}.tar"
        write(built[name], reference.parse(name), entries, settings)
    return built


def health(folder: Path) -> File:
    """A server of gRPC's health protocol."""
    program = folder / "health"
    command = ["go", "build", "-o", str(program), str(HERE / "health" / "main.go")]
    subprocess.run(command, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    return File("/health", program, 0o755)
