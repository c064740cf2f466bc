"""A kubelet node on the engine's containerd: classes reach their handlers, Pods outlive kubelet, nothing stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubelet_pods import await_ready, containers, pod, pods, read, ready_sandboxes, remove, sandbox_ids, start, until
from node import NAME, Node, RunningNode

from casemate.node import measure

pytestmark = pytest.mark.root


@pytest.mark.parametrize(("class_name", "handler"), [(None, "runc"), ("crun", "crun"), ("gvisor", "runsc")])
def test_a_pod_lands_on_the_handler_of_its_class(node: Node, class_name: str | None, handler: str) -> None:
    name = f"lands-{handler}"
    start(node, pod(name, class_name))
    assert ready_sandboxes(node)[name] in (handler, "" if class_name is None else handler)


def test_the_node_offers_what_its_classes_name(node: Node) -> None:
    classes = read(node, "/apis/node.k8s.io/v1/runtimeclasses")["items"]
    assert {"crun", "gvisor", "runc", "wasm"} <= {each["metadata"]["name"] for each in classes}
    conditions = read(node, f"/api/v1/nodes/{NAME}")["status"]["conditions"]
    assert {each["status"] for each in conditions if each["type"] == "Ready"} == {"True"}


@pytest.fixture
def static(node: Node) -> Iterator[str]:
    """The name of a static Pod that runs."""
    file = node.manifests() / "static.yaml"
    file.write_text(yaml.safe_dump(pod("static")))
    name = f"static-{NAME}"
    await_ready(node, name)
    yield name
    file.unlink()


def test_a_static_pod_is_mirrored(node: Node, static: str) -> None:
    assert "kubernetes.io/config.mirror" in read(node, f"{pods()}/{static}")["metadata"]["annotations"]
    assert static in ready_sandboxes(node)


@pytest.mark.parametrize("class_name", [None, "gvisor"])
def test_a_deleted_pod_leaves_nothing(node: Node, class_name: str | None) -> None:
    name = f"deleted-{class_name}".lower()
    start(node, pod(name, class_name))
    uid = read(node, f"{pods()}/{name}")["metadata"]["uid"]
    sandbox = sandbox_ids(node)[name]
    assert measure.processes([sandbox])
    remove(node, f"{pods()}/{name}")
    until(lambda: name not in ready_sandboxes(node), lambda: str(ready_sandboxes(node)))
    until(lambda: not _left(node, uid, sandbox), lambda: str(_left(node, uid, sandbox)))


def _left(node: Node, uid: str, sandbox: str) -> list[str]:
    """Processes, cgroups and volumes of a Pod."""
    processes = [f"process {each}" for each in measure.processes([sandbox])]
    cgroups = [str(each) for each in Path("/sys/fs/cgroup").glob(f"**/pod{uid}")]
    volumes = [str(each) for each in (node.engine.root / "kubelet" / "pods").glob(uid)]
    return [*processes, *cgroups, *volumes]


def test_pods_outlive_a_restart_of_kubelet(node: Node, running_node: RunningNode) -> None:
    start(node, pod("outlives", "gvisor"))
    before = containers(node)
    running_node.restart_kubelet(node)
    start(node, pod("after-restart", "crun"))
    after = containers(node)
    assert {each: after.get(each) for each in before} == before
