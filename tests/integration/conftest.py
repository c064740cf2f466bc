"""Real parts, started once per session: the engine `citest`, its images, and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import commandline
import pytest
import recipes
from commandline import ENGINE, Casemate


@pytest.fixture(scope="session")
def casemate() -> Casemate:
    """Runs `casemate ARGUMENTS` on the engine `citest`."""
    return commandline.casemate


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The corpus' images as OCI layouts, by the name that manifests use."""
    return recipes.images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def engine(casemate: Casemate, images: dict[str, Path]) -> Iterator[str]:
    """The name of a started engine."""
    for step in (("engine", "install", "--yes"), ("engine", "start")):
        done = casemate(*step, timeout=1200)
        assert done.returncode == 0, done.stderr
    yield ENGINE
    stopped = casemate("engine", "stop")
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture
def empty_engine(engine: str, casemate: Casemate) -> Iterator[str]:
    """The engine's name; whatever the test ran is taken down afterwards."""
    yield engine
    casemate("down", "--all")


@pytest.fixture(scope="session")
def with_images(images: dict[str, Path]) -> list[str]:
    """The `--image` options that give a run the corpus' images."""
    return [option for name, path in images.items() for option in ("--image", f"{name}={path}")]
