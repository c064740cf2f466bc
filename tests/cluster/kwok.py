"""Nodes that only seem to run, by kwok, built once from Go modules: `python tests/cluster/kwok.py`.

1. kwok plays the kubelets of nodes that somebody made: it says that they are ready, beats for them, and takes the Pods
   that are bound to them for running. Nothing is ever started, and what a node says of its handlers stays as it was.
2. Its rules for that are the ones in its own module. Pods are bound by the real kube-scheduler; no controller takes
   the taint away that the API server gives new nodes, so it is to give none (`FLAGS`).
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import kubernetes
from apiserver import Cluster

VERSION: Final = "0.8.0"
_MODULE: Final = f"sigs.k8s.io/kwok@v{VERSION}"
_STAGES: Final = (
    "node/fast/node-initialize",
    "node/heartbeat/node-heartbeat",
    "pod/fast/pod-ready",
    "pod/fast/pod-delete",
)
FLAGS: Final = ("--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",)
_CLIENTS: Final = 16
_PATIENCE: Final = 180.0

Object = dict[str, Any]


def build() -> Path:
    """Build it unless that was done before."""
    done = Path("~/.cache/casemate/kwok").expanduser() / f"v{VERSION}" / "kwok"
    if done.exists():
        return done
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent, prefix=".building-") as folder:
        module, _, version = _MODULE.partition("@")
        Path(folder, "go.mod").write_text(f"module casemate.local/kwok\n\ngo 1.26\n\nrequire {module} {version}\n")
        command = ["nice", "-n", "10", "go", "build", "-p", "1", "-mod=mod", "-ldflags", "-s -w", "-o", "made"]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": ""}
        subprocess.run([*command, f"{module}/cmd/kwok"], cwd=folder, check=True, env=environment)
        Path(folder, "made").rename(done)
    return done


def stages() -> str:
    """What a node and a Pod go through, as kwok has it."""
    command = ["go", "mod", "download", "-json", _MODULE]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)
    folder = Path(found["Dir"], "kustomize", "stage")
    return "\n---\n".join((folder / f"{each}.yaml").read_text() for each in _STAGES)


class Kwok:
    """kwok and the scheduler, beside an API server."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> None:
        program, config = build(), self._cluster.folder / "stages.yaml"
        config.write_text(stages())
        kubeconfig = f"--kubeconfig={self._cluster.kubeconfig('admin')}"
        scheduler = str(kubernetes.build("kube-scheduler"))
        self._start(str(program), kubeconfig, f"--config={config}", "--manage-all-nodes=true", "--cidr=10.64.0.0/12")
        self._start(scheduler, kubeconfig, "--secure-port=0", "--leader-elect=false")

    def __exit__(self, *_: object) -> None:
        for each in self._processes:
            each.terminate()
        for each in self._processes:
            each.wait(30)

    def _start(self, *command: str) -> None:
        with (self._cluster.folder / f"{Path(command[0]).name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(["nice", "-n", "10", *command], stdout=log, stderr=log))


def node(name: str, *handlers: str, **labels: str) -> Object:
    """A node whose runtime has the handlers, besides its default one."""
    features = {"recursiveReadOnlyMounts": True, "userNamespaces": True}
    info = {
        "containerRuntimeVersion": "containerd://2.3.5",
        "kubeletVersion": f"v{kubernetes.VERSION}",
        "kernelVersion": "6.12.0",
        "operatingSystem": "linux",
    }
    room = {"cpu": "32", "memory": "128Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **labels}},
        "status": {
            "nodeInfo": info,
            "allocatable": room,
            "capacity": room,
            "runtimeHandlers": [{"name": each, "features": features} for each in ("", *handlers)],
        },
    }


def runtime_class(name: str, handler: str, **selector: str) -> Object:
    made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}
    return made | ({"scheduling": {"nodeSelector": selector}} if selector else {})


def pod(namespace: str, name: str, runtime_class: str = "") -> Object:
    container = {
        "name": "main",
        "image": "registry.test/shop/app:1",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec: Object = {"containers": [container]} | ({"runtimeClassName": runtime_class} if runtime_class else {})
    meta = {"name": name, "namespace": namespace, "labels": {"app": name.rpartition("-")[0] or name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@dataclass(frozen=True)
class Made:
    """What the API server made of one object, or said, and how long that took."""

    asked: Object
    status: int
    answer: Object
    seconds: float


def post_all(cluster: Cluster, path: str, bodies: Iterable[Object], clients: int = _CLIENTS) -> list[Made]:
    """Make many objects at once; their namespace goes into the path's braces."""
    return asyncio.run(_post_all(cluster, path, bodies, clients))


async def _post_all(cluster: Cluster, path: str, bodies: Iterable[Object], clients: int) -> list[Made]:
    waiting, found = iter(list(bodies)), list[Made]()
    verify = ssl.create_default_context(cafile=str(cluster.ca))
    headers = {"Authorization": "Bearer admin-token"}

    async def work() -> None:
        async with httpx.AsyncClient(base_url=cluster.server, verify=verify, headers=headers, timeout=60) as client:
            for body in waiting:
                began = time.perf_counter()
                answer = await client.post(path.format(body["metadata"].get("namespace", "")), json=body)
                found.append(Made(body, answer.status_code, answer.json(), time.perf_counter() - began))

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(work())
    return found


def listed(cluster: Cluster, path: str, **query: str) -> list[Object]:
    """All objects of a list."""
    with cluster.client() as client:
        answer = client.get(path, params=query, timeout=120)
    assert answer.is_success, answer.text
    items: list[Object] = answer.json()["items"]
    return items


def wait_running(cluster: Cluster, count: int, seconds: float = _PATIENCE) -> None:
    """Wait until so many Pods run."""
    ends = time.monotonic() + seconds
    selector = "status.phase=Running"
    while (running := len(listed(cluster, "/api/v1/pods", fieldSelector=selector))) < count:
        assert time.monotonic() < ends, f"{running} of {count} Pods run after {seconds:g} s"
        time.sleep(1)


def handlers_of(nodes: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """The handlers of each node, as it says."""
    return {
        each["metadata"]["name"]: {one["name"] for one in each["status"].get("runtimeHandlers", ())} for each in nodes
    }


if __name__ == "__main__":
    print(build())
