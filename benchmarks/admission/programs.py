"""What the comparison runs, each built once from Go modules: Gatekeeper, Kyverno, and the load."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "casemate" / "benchmarks"


@dataclass(frozen=True)
class Program:
    """A program of a Go module at a version, with the replacements that its own go.mod makes."""

    name: str
    module: str
    version: str
    package: str
    replaced: Mapping[str, str] = field(default_factory=dict)

    @property
    def binary(self) -> Path:
        return CACHE / f"{self.name}-{self.version}" / self.name

    def build(self) -> Path:
        """Compile it, unless that was done before. Takes minutes."""
        if not self.binary.exists():
            self.binary.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.binary.parent) as folder:
                Path(folder, "go.mod").write_text(self._go_mod())
                made = Path(folder, self.name)
                command = ["nice", "go", "build", "-mod=mod", "-p", "1", "-ldflags", "-s -w", "-o", str(made)]
                environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": ""}
                subprocess.run([*command, self.package], cwd=folder, check=True, env=environment)
                made.rename(self.binary)
        return self.binary

    def _go_mod(self) -> str:
        replaced = "".join(f"replace {old} => {new}\n" for old, new in self.replaced.items())
        return f"module casemate.local/peers\n\ngo 1.26\n\nrequire {self.module} v{self.version}\n\n{replaced}"

    def source(self) -> Path:
        """The module's files."""
        command = ["go", "mod", "download", "-json", f"{self.module}@v{self.version}"]
        found = subprocess.run(command, cwd="/", check=True, capture_output=True, text=True).stdout
        return Path(json.loads(found)["Dir"])


GATEKEEPER = Program(
    "gatekeeper",
    "github.com/open-policy-agent/gatekeeper/v3",
    "3.23.1",
    "github.com/open-policy-agent/gatekeeper/v3",
)
KYVERNO = Program(
    "kyverno",
    "github.com/kyverno/kyverno",
    "1.19.1",
    "github.com/kyverno/kyverno/cmd/kyverno",
    {"k8s.io/pod-security-admission": ("github.com/kyverno/pod-security-admission v0.0.0-20251031094455-46f20778634f")},
)


def load() -> Path:
    """The program that makes the load."""
    source = Path(__file__).with_name("load")
    stamp = hashlib.sha256((source / "main.go").read_bytes()).hexdigest()[:12]
    made = CACHE / f"load-{stamp}"
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "build", "-o", str(made), "."], cwd=source, check=True)
    return made


if __name__ == "__main__":
    for each in (GATEKEEPER, KYVERNO):
        print(each.build())
    print(load())
