"""casemate and its peers: how each is got and called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

KUBE_SCORE = "1.20.0"
CHECKOV = "3.3.30"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "casemate" / "benchmarks"


@dataclass(frozen=True)
class Tool:
    """A program, and its command for a folder of manifests."""

    name: str
    version: str
    command: Callable[[Path, Sequence[Path]], list[str]]


def casemate(output: str = "json") -> Tool:
    """casemate of the environment that runs the benchmark."""
    program = Path(sys.executable).parent / "casemate"
    from casemate import __version__

    name = "casemate" if output == "json" else f"casemate -o {output}"
    return Tool(name, __version__, lambda folder, _: [str(program), "assess", "-o", output, str(folder)])


def kube_score() -> Tool:
    """kube-score, compiled once from its Go module."""
    program = CACHE / f"kube-score-{KUBE_SCORE}" / "kube-score"
    if not program.exists():
        module = f"github.com/zegl/kube-score/cmd/kube-score@v{KUBE_SCORE}"
        subprocess.run(["go", "install", module], env={**os.environ, "GOBIN": str(program.parent)}, check=True)
    return Tool("kube-score", KUBE_SCORE, lambda _, files: [str(program), "score", "-o", "json", *map(str, files)])


def checkov() -> Tool:
    """checkov in an environment of its own."""
    home = CACHE / f"checkov-{CHECKOV}"
    program = home / "bin" / "checkov"
    if not program.exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", f"checkov=={CHECKOV}"], check=True)
    flags = ["--framework", "kubernetes", "--output", "json", "--quiet", "--compact", "--skip-download"]
    return Tool("checkov", CHECKOV, lambda folder, _: [str(program), "--directory", str(folder), *flags])
