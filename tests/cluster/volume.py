"""Measure the live source on many Pods: `python tests/cluster/volume.py [PODS]`, 100,000 unless told otherwise.

The API server and etcd are real; the Pods are never started. Reading runs in a process of its own, whose peak memory is
what is reported.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import kubernetes
from apiserver import Cluster, Running

_READ = """
import resource, sys, time
from casemate.sources.cluster import collect
began, pages, pods, unreached = time.monotonic(), 0, 0, 0
for page in collect(sys.argv[1], seconds=3600):
    pages, pods, unreached = pages + 1, pods + len(page.workloads), unreached + len(page.unreached)
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"{pods} workloads in {pages} pages, {unreached} lists not read: {time.monotonic() - began:.1f} s, "
      f"{used.ru_utime + used.ru_stime:.1f} s of CPU, {used.ru_maxrss >> 10} MiB at most")
"""


def pod(number: int) -> dict[str, object]:
    container = {
        "name": "main",
        "image": f"registry.test/shop/app:{number % 50}",
        "env": [{"name": "MODE", "value": "production"}],
        "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "50m"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    labels = {"app": f"app-{number % 1000}", "tier": "web"}
    return {"metadata": {"name": f"pod-{number}", "labels": labels}, "spec": {"containers": [container]}}


async def fill(cluster: Cluster, count: int) -> None:
    numbers = iter(range(count))
    verify = ssl.create_default_context(cafile=str(cluster.ca))
    headers = {"Authorization": "Bearer admin-token"}

    async def work() -> None:
        async with httpx.AsyncClient(base_url=cluster.server, verify=verify, headers=headers, timeout=60) as client:
            for number in numbers:
                answer = await client.post(f"/api/v1/namespaces/ns-{number % 20}/pods", json=pod(number))
                assert answer.status_code == 201, answer.text

    async with asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(work())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    kubernetes.build()
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder)) as cluster:
        cluster.apply("/api/v1/namespaces", *({"metadata": {"name": f"ns-{each}"}} for each in range(20)))
        began = time.monotonic()
        asyncio.run(fill(cluster, count))
        print(f"{count} Pods made in {time.monotonic() - began:.0f} s", flush=True)
        subprocess.run([sys.executable, "-c", _READ, cluster.kubeconfig("admin")], check=True)


if __name__ == "__main__":
    main()
