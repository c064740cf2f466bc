"""Build containerd 2 and a runc that it accepts once, from Go modules: `python tests/integration/node/containerd2.py`.

1. Versions are pinned. Debian's runtimes are too old for the OCI specification of containerd 2.
2. The build gives way to other work (nice), and is kept in ~/.cache/casemate/containerd/<version>/, moved there whole.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "2.4.2"
RUNC: Final = "1.5.2"
FOLDER: Final = Path("~/.cache/casemate/containerd").expanduser() / f"v{VERSION}"
_COMMANDS: Final = ("containerd", "containerd-shim-runc-v2", "ctr")


def build() -> Path:
    """The folder with the programs, built unless that was done before."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in _COMMANDS:
        _install(name, f"github.com/containerd/containerd/v2/cmd/{name}@v{VERSION}", cgo="0")
    _install("runc", f"github.com/opencontainers/runc@v{RUNC}", "-tags", "seccomp", cgo="1")
    return FOLDER


def _install(name: str, package: str, *flags: str, cgo: str) -> None:
    if (FOLDER / name).exists():
        return
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as folder:
        environment = os.environ | {"CGO_ENABLED": cgo, "GOBIN": folder, "GOFLAGS": ""}
        command = ["nice", "-n", "10", "go", "install", "-ldflags", "-s -w", *flags, package]
        subprocess.run(command, check=True, env=environment, cwd="/")
        Path(folder, name).rename(FOLDER / name)


if __name__ == "__main__":
    print(build())
