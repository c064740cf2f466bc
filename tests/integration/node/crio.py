"""Build CRI-O once, from its Go module: `python tests/integration/node/crio.py`.

1. The version is pinned, and is that of the tests' kubelet. conmon, crun and runc are Debian's.
2. pinns, CRI-O's helper in C, lies in the same module.
3. The build gives way to other work (nice, one package at a time), and takes minutes: what it makes is kept in
   ~/.cache/casemate/crio/<version>/ and moved there only when it is whole.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

VERSION: Final = "1.36.3"
FOLDER: Final = Path("~/.cache/casemate/crio").expanduser() / f"v{VERSION}"
_MODULE: Final = "github.com/cri-o/cri-o"
# As CRI-O's Makefile chooses them where neither GPGME, btrfs nor ostree is there to build with.
_TAGS: Final = "seccomp containers_image_openpgp containers_image_ostree_stub exclude_graphdriver_btrfs"


def build() -> Path:
    """The folder with crio and pinns, built unless that was done before."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _kept("crio", _crio)
    _kept("pinns", _pinns)
    return FOLDER


def _kept(name: str, make: Callable[[Path], None]) -> None:
    if (FOLDER / name).exists():
        return
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as folder:
        make(Path(folder, name))
        Path(folder, name).rename(FOLDER / name)


def _crio(made: Path) -> None:
    module = f"module casemate.local/crio\n\ngo 1.26\n\nrequire {_MODULE} v{VERSION}\n"
    made.with_name("go.mod").write_text(module)
    command = ["nice", "-n", "10", "go", "build", "-p", "1", "-mod=mod", "-tags", _TAGS, "-ldflags", "-s -w"]
    environment = os.environ | {"CGO_ENABLED": "1", "GOFLAGS": ""}
    subprocess.run([*command, "-o", str(made), f"{_MODULE}/cmd/crio"], check=True, env=environment, cwd=made.parent)


def _pinns(made: Path) -> None:
    command = ["go", "mod", "download", "-json", f"{_MODULE}@v{VERSION}"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)
    sources = sorted(map(str, Path(found["Dir"], "pinns", "src").glob("*.c")))
    subprocess.run(["cc", "-std=c99", "-Os", "-o", str(made), *sources], check=True, cwd="/")


if __name__ == "__main__":
    print(build())
