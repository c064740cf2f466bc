"""The images that probes name: Debian's busybox, a native program and a Wasm module of ours, built by Go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "examples" / "shop"))

from busybox import PATH, busybox  # noqa: E402

from casemate.images import reference  # noqa: E402
from casemate.images.build import Entry, File, Folder, Settings, write  # noqa: E402


def build(folder: Path) -> dict[str, str]:
    """Build all of them into the folder; image name → OCI layout."""
    program = _go(folder / "native", "native", CGO_ENABLED="0")
    module = _go(folder / "module.wasm", "module", GOOS="wasip1", GOARCH="wasm")
    temporary = Folder("/tmp", 0o1777)
    recipes: dict[str, tuple[tuple[Entry, ...], Settings]] = {
        "casemate.local/busybox:1": (busybox(), Settings(command=("sh",), environment={"PATH": PATH})),
        "casemate.local/native:1": (
            (File("/probe", program, 0o755), File("/setuid", program, 0o4755), temporary),
            Settings(entrypoint=("/probe",)),
        ),
        "casemate.local/user:1": ((File("/probe", program, 0o755),), Settings(entrypoint=("/probe",), user="1234")),
        "casemate.local/module:1": (
            (File("/module.wasm", module, 0o755), temporary),
            Settings(entrypoint=("/module.wasm",)),
        ),
    }
    built = {}
    for name, (entries, settings) in recipes.items():
        path = folder / f"{reference.parse(name).repository.replace('/', '-')}.tar"
        write(path, reference.parse(name), entries, settings)
        built[name] = str(path)
    return built


def _go(output: Path, package: str, **settings: str) -> Path:
    command = ["go", "build", "-C", str(HERE), "-buildvcs=false", "-o", str(output.absolute()), f"./{package}"]
    subprocess.run(command, env={**os.environ, **settings}, check=True)
    return output
