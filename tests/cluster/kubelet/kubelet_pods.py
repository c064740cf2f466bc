"""Pods for the node of these tests, and what becomes of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node import Node

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient

IMAGE = "casemate.local/busybox:1"
SECONDS = 60.0
CASEMATE = str(Path(sys.executable).with_name("casemate"))

Object = dict[str, Any]


def pod(name: str, class_name: str | None = None, namespace: str = "default") -> Object:
    """A Pod that sleeps, of that class."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "args": ["sleep", "3600"]}],
        }
        | ({"runtimeClassName": class_name} if class_name else {}),
    }


def pods(namespace: str = "default") -> str:
    """Where the Pods of a namespace are."""
    return f"/api/v1/namespaces/{namespace}/pods"


def read(node: Node, path: str) -> Object:
    """An object; empty when there is none."""
    with node.cluster.client() as client:
        answer = client.get(path)
    return dict(answer.json()) if answer.is_success else {}


def start(node: Node, body: Object) -> None:
    """Make a Pod and wait until it runs."""
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    node.cluster.apply(pods(namespace), body)
    await_ready(node, name, namespace)


def await_ready(node: Node, name: str, namespace: str = "default") -> None:
    """Wait until all containers of a Pod run."""
    path = f"{pods(namespace)}/{name}"
    until(lambda: _is_ready(read(node, path)), lambda: str(read(node, path).get("status")))


def _is_ready(found: Object) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def remove(node: Node, path: str) -> None:
    """Delete an object, and wait until it is gone."""
    with node.cluster.client() as client:
        client.delete(path)
    until(lambda: not read(node, path), lambda: str(read(node, path)))


def until(holds: Callable[[], bool], shown: Callable[[], str], seconds: float = SECONDS) -> None:
    """Wait for something to hold."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, shown()
        time.sleep(0.2)


def ready_sandboxes(node: Node) -> dict[str, str]:
    """The handler of each sandbox that runs on the node, by the Pod's name, as containerd says."""
    return {each.metadata.name: each.runtime_handler for each in asyncio.run(_sandboxes(node.socket))}


def sandbox_ids(node: Node) -> dict[str, str]:
    """The id of each sandbox that runs on the node, by the Pod's name."""
    return {each.metadata.name: each.id for each in asyncio.run(_sandboxes(node.socket))}


async def _sandboxes(socket: str) -> list[pb.PodSandbox]:
    async with CriClient(socket) as client:
        return [each for each in await client.pod_sandboxes() if each.state == pb.SANDBOX_READY]


def containers(node: Node) -> dict[str, str]:
    """The id of each container that runs on the node, by Pod and container, as containerd says."""
    return asyncio.run(_containers(node.socket))


async def _containers(socket: str) -> dict[str, str]:
    async with CriClient(socket) as client:
        found = [each for each in await client.containers() if each.state == pb.CONTAINER_RUNNING]
    return {f"{each.labels.get('io.kubernetes.pod.name')}/{each.metadata.name}": each.id for each in found}


def casemate(*arguments: str, code: int = 0) -> str:
    """Run casemate; what it prints. It must end with that code."""
    done = subprocess.run([CASEMATE, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
