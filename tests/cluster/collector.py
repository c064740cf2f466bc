"""The OpenTelemetry collector, built once from Go modules: `python tests/cluster/collector.py`.

`collector.go` puts its own receiver of OTLP and its own exporter to a file together, as its builder does. 0.120 is the
newest version whose modules the Go module proxy has all of.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml
from apiserver import free_port

VERSION: Final = "0.120.0"
_MODULES: Final = {
    "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter": VERSION,
    "go.opentelemetry.io/collector/confmap/provider/fileprovider": "1.26.0",
    "go.opentelemetry.io/collector/otelcol": VERSION,
    "go.opentelemetry.io/collector/receiver/otlpreceiver": VERSION,
}
_SOURCE: Final = Path(__file__).with_suffix(".go")
_PATIENCE: Final = 30.0


def build() -> Path:
    """Build it unless that was done before."""
    key = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
    done = Path("~/.cache/casemate/collector").expanduser() / f"v{VERSION}-{key}" / "collector"
    if done.exists():
        return done
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent, prefix=".building-") as folder:
        required = "".join(f"require {module} v{version}\n" for module, version in _MODULES.items())
        Path(folder, "go.mod").write_text(f"module casemate.local/collector\n\ngo 1.26\n\n{required}")
        shutil.copy(_SOURCE, Path(folder, "main.go"))
        command = ["nice", "-n", "10", "go", "build", "-p", "1", "-mod=mod", "-ldflags", "-s -w", "-o", "made", "."]
        subprocess.run(command, cwd=folder, check=True, env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": ""})
        Path(folder, "made").rename(done)
    return done


@dataclass(frozen=True)
class Span:
    """A span as the collector received it."""

    name: str
    id: str
    parent: str
    trace: str
    kind: int
    failed: bool
    resource: dict[str, Any]
    attributes: dict[str, Any]


@dataclass
class Collector:
    """A running collector. Receives on two ports of loopback: OTLP over HTTP and over gRPC."""

    folder: Path
    http: int = field(default_factory=free_port)
    grpc: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = build()
        config = self.folder / "collector.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        with (self.folder / "collector.log").open("ab") as log:
            self.process = subprocess.Popen([program, f"--config=file:{config}"], stdout=log, stderr=log)
        ends = time.monotonic() + _PATIENCE
        while not self._receives():
            assert self.process.poll() is None, (self.folder / "collector.log").read_text()
            assert time.monotonic() < ends, "the collector does not listen"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait(20)

    def spans(self) -> list[Span]:
        """What came until now."""
        file = self.folder / "spans.json"
        whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
        return [span for line in whole.splitlines() for span in _spans(json.loads(line))]

    def _receives(self) -> bool:
        try:
            return httpx.post(f"http://127.0.0.1:{self.http}/v1/traces", json={}, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _config(self) -> dict[str, object]:
        protocols = {name: {"endpoint": f"127.0.0.1:{getattr(self, name)}"} for name in ("http", "grpc")}
        return {
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {"file": {"path": f"{self.folder}/spans.json", "flush_interval": "100ms"}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            },
        }


def _spans(line: dict[str, Any]) -> Iterator[Span]:
    for resource in line.get("resourceSpans", ()):
        about = _values(resource.get("resource", {}).get("attributes", ()))
        for scope in resource.get("scopeSpans", ()):
            for each in scope["spans"]:
                yield Span(
                    name=each["name"],
                    id=each["spanId"],
                    parent=each.get("parentSpanId", ""),
                    trace=each["traceId"],
                    kind=each.get("kind", 0),
                    failed=each.get("status", {}).get("code") == 2,
                    resource=about,
                    attributes=_values(each.get("attributes", ())),
                )


def _values(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: _value(each["value"]) for each in attributes}


def _value(value: dict[str, Any]) -> Any:
    if "arrayValue" in value:
        return [_value(each) for each in value["arrayValue"].get("values", ())]
    return next(iter(value.values()), None)


if __name__ == "__main__":
    print(build())
