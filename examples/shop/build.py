"""Builds the shop's images from Debian's busybox and the files beside this one; nothing is pulled.

`python examples/shop/build.py [FOLDER]` writes one OCI layout per image (examples/shop/build when left out).
`python examples/shop/build.py --options` builds, too, and prints the `--image` options for `casemate run`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from busybox import PATH, busybox

from casemate.images import reference
from casemate.images.build import Entry, File, Folder, Settings, tree, write

HERE = Path(__file__).parent
Recipe = tuple[tuple[Entry, ...], Settings]


def web(_: Path) -> Recipe:
    """The front end: busybox's HTTP server with CGI scripts."""
    return (*busybox(), *tree(HERE / "web", "/srv")), http_server()


def worker(_: Path) -> Recipe:
    """The worker: the same server with one script that runs what it is sent."""
    return (*busybox(), *tree(HERE / "worker", "/srv")), http_server()


def report(_: Path) -> Recipe:
    """The batch Job: one script."""
    entries = (*busybox(), *tree(HERE / "report", "/usr/local/bin"))
    return entries, Settings(command=("report",), environment={"PATH": PATH})


def api(scratch: Path) -> Recipe:
    """The API: one Go program and nothing else."""
    program = compiled("./api", scratch / "api", CGO_ENABLED="0")
    return (File("/api", program, 0o755), Folder("/etc/shop")), Settings(entrypoint=("/api",), user="10001")


def tax(scratch: Path) -> Recipe:
    """The tax function: one Wasm module."""
    program = compiled("./tax", scratch / "tax.wasm", GOOS="wasip1", GOARCH="wasm")
    return (File("/tax.wasm", program, 0o755),), Settings(entrypoint=("/tax.wasm",))


RECIPES: dict[str, Callable[[Path], Recipe]] = {
    "web": web,
    "api": api,
    "tax": tax,
    "worker": worker,
    "report": report,
}


def http_server() -> Settings:
    """Serves /srv on port 8080."""
    return Settings(command=("httpd", "-f", "-p", "8080", "-h", "/srv"), environment={"PATH": PATH})


def compiled(package: str, output: Path, **environment: str) -> Path:
    """A Go program of ours, built without anything from the network."""
    command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(output.absolute()), package]
    settings = {**os.environ, "GOFLAGS": "-mod=readonly", "GOPROXY": "off", **environment}
    subprocess.run(command, cwd=HERE / "programs", env=settings, check=True)
    return output


def build(folder: Path) -> dict[str, Path]:
    """Build every image into the folder; image name → layout."""
    folder.mkdir(parents=True, exist_ok=True)
    built = {}
    with TemporaryDirectory() as scratch:
        for name, recipe in RECIPES.items():
            image, output = f"casemate.local/shop-{name}:1", folder / f"{name}.tar"
            write(output, reference.parse(image), *recipe(Path(scratch)))
            built[image] = output
    return built


if __name__ == "__main__":
    as_options = "--options" in sys.argv
    folders = [each for each in sys.argv[1:] if not each.startswith("-")]
    for image, layout in build(Path(folders[0]) if folders else HERE / "build").items():
        print(f"--image={image}={layout}" if as_options else f"{image}  {layout}")  # noqa: T201
