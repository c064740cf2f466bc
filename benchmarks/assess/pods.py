"""`python -m benchmarks.assess.pods`: what `casemate assess --cluster` takes for 100,000 Pods of a real API server.

The Pods go into etcd directly, as the API server stores them: creating them through it takes many minutes.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.assess import files
from benchmarks.assess.measure import measure
from benchmarks.assess.tools import Tool

_TESTS = Path(__file__).parents[2] / "tests" / "cluster"
_TOGETHER = 100


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assess.pods", description=__doc__)
    parser.add_argument("--pods", type=int, default=100_000)
    parser.add_argument("--output", default="json")
    given = parser.parse_args()
    sys.path.insert(0, str(_TESTS))
    kubernetes, running = import_module("kubernetes"), import_module("apiserver").Running
    kubernetes.build()
    with TemporaryDirectory(prefix="casemate-pods-") as folder, running(Path(folder)) as cluster:
        _store(_etcd(Path(folder)), given.pods)
        program = str(Path(sys.executable).parent / "casemate")
        command = [program, "assess", "--kubeconfig", cluster.kubeconfig("admin"), "-o", given.output]
        found = measure(Tool("casemate", "", lambda _, __: command), Path(folder), [], given.pods, 1)
    took = f"{found.seconds} s, {found.processor_seconds} s of processor"
    print(f"{found.workloads:,} Pods: {took}, {found.mebibytes} MiB")


def _etcd(folder: Path) -> str:
    """The address of the etcd that keeps its data there."""
    running = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    (line,) = (each for each in running.splitlines() if each.startswith("etcd ") and f"--data-dir={folder}/" in each)
    return next(each.partition("=")[2] for each in line.split() if each.startswith("--listen-client-urls="))


def _store(server: str, count: int) -> None:
    with httpx.Client(base_url=server, timeout=60) as client:
        for first in range(0, count, _TOGETHER):
            puts = [{"requestPut": put} for put in _puts(first, min(first + _TOGETHER, count))]
            client.post("/v3/kv/txn", json={"success": puts}).raise_for_status()


def _puts(first: int, beyond: int) -> Iterator[dict[str, str]]:
    for number in range(first, beyond):
        pod = _pod(number)
        key = f"/registry/pods/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        yield {"key": _text(key), "value": _text(json.dumps(pod))}


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _pod(number: int) -> dict[str, Any]:
    metadata = {
        "name": f"app-{number}",
        "namespace": f"team-{number % 97}",
        "uid": f"00000000-0000-4000-8000-{number:012}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": f"app-{number}"},
    }
    spec = files.spec(number, random.Random(number % 400))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


if __name__ == "__main__":
    main()
