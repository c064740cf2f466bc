"""An engine of these tests' own, with busybox and a Wasm module to try things with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from casemate.engine import lifecycle
from casemate.engine.install import apply, plan
from casemate.engine.paths import EnginePaths
from casemate.images import layout, reference, store
from casemate.images.build import File, Folder, Link, Settings, write

HERE = Path(__file__).parent
PROBE = "casemate.local/probe:1"
ENGINE = EnginePaths("ci-life")

STRANGERS = (
    File("/component.wasm", b"\0asm\x0d\0\1\0", 0o755),
    File("/script", b"#!/probe.wasm\n", 0o755),
    Link("/memory", "/proc/self/mem"),
    Link("/climber", "../../../../../proc/self/mem"),
    Folder("/data"),
    Folder("/tmp", 0o1777),
)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Wasm module `modules/probe.go` as an image, `PROBE`."""
    folder = tmp_path_factory.mktemp("probe")
    program = folder / "probe.wasm"
    command = ["go", "build", "-ldflags", "-s -w", "-o", str(program), str(HERE / "modules" / "probe.go")]
    subprocess.run(command, env={**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GO111MODULE": "off"}, check=True)
    entries = (File("/probe.wasm", program, 0o755), *STRANGERS)
    write(folder / "probe.tar", reference.parse(PROBE), entries, Settings(entrypoint=("/probe.wasm",)))
    return folder / "probe.tar"


def bring_in(paths: EnginePaths, images: dict[str, Path]) -> None:
    """Store images in a running engine."""
    for name, file in images.items():
        store.add(layout.read(file), reference.parse(name), str(paths.socket))


def forget(paths: EnginePaths) -> None:
    """Stop an engine, and remove what a stop keeps."""
    lifecycle.stop(paths)
    shutil.rmtree(paths.root, ignore_errors=True)


@pytest.fixture(scope="session")
def life(images: dict[str, Path], probe: Path) -> Iterator[EnginePaths]:
    """A started engine with the images of the corpus and the probe."""
    apply.apply(plan.look(), print)
    lifecycle.start(ENGINE)
    try:
        bring_in(ENGINE, {**images, PROBE: probe})
        yield ENGINE
    finally:
        forget(ENGINE)
