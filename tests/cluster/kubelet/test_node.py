"""A kubelet node on the engine's containerd: classes reach their handlers, static Pods are seen."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import yaml
from node import Node

pytestmark = pytest.mark.root

PODS = "/api/v1/namespaces/default/pods"
SECONDS = 60.0


@pytest.mark.parametrize(("class_name", "handler"), [(None, "runc"), ("crun", "crun"), ("gvisor", "runsc")])
def test_a_pod_lands_on_the_handler_of_its_class(
    node: Node, sandboxes: Callable[[], dict[str, str]], class_name: str | None, handler: str
) -> None:
    name = f"lands-{handler}"
    node.cluster.apply(PODS, pod(name, class_name))
    until(lambda: phase(node, name) == "Running", lambda: phase(node, name))
    assert sandboxes()[name] in (handler, "" if class_name is None else handler)


def test_a_static_pod_is_mirrored(node: Node) -> None:
    file = node.manifests() / "static.yaml"
    file.write_text(yaml.safe_dump(pod("static", None)))
    until(lambda: phase(node, "static-node-1") == "Running", lambda: phase(node, "static-node-1"))
    file.unlink()


def pod(name: str, class_name: str | None) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "app",
                    "image": "casemate.local/busybox:1",
                    "imagePullPolicy": "Never",
                    "args": ["sleep", "3600"],
                }
            ],
        }
        | ({"runtimeClassName": class_name} if class_name else {}),
    }


def phase(node: Node, name: str) -> str:
    with node.cluster.client() as client:
        answer = client.get(f"{PODS}/{name}")
    return str(answer.json()["status"].get("phase")) if answer.is_success else answer.text


def until(holds: Callable[[], bool], shown: Callable[[], str]) -> None:
    ends = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < ends, shown()
        time.sleep(0.3)
