"""Build real Kubernetes programs once, from Go modules: `python tests/cluster/kubernetes.py`.

1. The version is pinned. Staging modules, which k8s.io/kubernetes requires at v0.0.0, are replaced by their releases.
2. The build gives way to other work (nice, one package at a time), and takes minutes: what it makes is kept in
   ~/.cache/casemate/kubernetes/<version>/ and moved there only when it is whole.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "1.36.3"
FOLDER: Final = Path("~/.cache/casemate/kubernetes").expanduser() / f"v{VERSION}"
PROGRAMS: Final = ("kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl")
_STAGING: Final = re.compile(r"^\s*(k8s\.io/[a-z0-9-]+) v0\.0\.0$", re.MULTILINE)
_STAMP: Final = "k8s.io/component-base/version"


def binary(name: str = "kube-apiserver") -> Path:
    """The built program, which may not exist yet."""
    return FOLDER / name


def build(name: str = "kube-apiserver") -> Path:
    """Build the program unless that was done before."""
    done = binary(name)
    if done.exists():
        return done
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as folder:
        made = Path(folder, name)
        Path(folder, "go.mod").write_text(_module())
        major, minor, _ = VERSION.split(".")
        stamp = f"-X {_STAMP}.gitVersion=v{VERSION} -X {_STAMP}.gitMajor={major} -X {_STAMP}.gitMinor={minor}"
        package = f"k8s.io/kubernetes/cmd/{name}"
        command = ["nice", "-n", "10", "go", "build", "-p", "1", "-mod=mod", "-ldflags", f"-s -w {stamp}"]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": ""}
        subprocess.run([*command, "-o", str(made), package], cwd=folder, check=True, env=environment)
        made.rename(done)
    return done


def build_all() -> None:
    """Build whatever is not there yet."""
    for name in PROGRAMS:
        build(name)


def _module() -> str:
    command = ["go", "mod", "download", "-json", f"k8s.io/kubernetes@v{VERSION}"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)
    _, minor, patch = VERSION.split(".")
    staged = sorted(set(_STAGING.findall(Path(found["GoMod"]).read_text())))
    replaced = "".join(f"replace {module} => {module} v0.{minor}.{patch}\n" for module in staged)
    return f"module casemate.local/kubernetes\n\ngo 1.26\n\nrequire k8s.io/kubernetes v{VERSION}\n\n{replaced}"


if __name__ == "__main__":
    build_all()
