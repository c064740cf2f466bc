"""`prove` beside a kubelet, and what `assess` makes of its signed proofs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubelet_pods import Object, await_ready, casemate, pod, pods, ready_sandboxes, remove, start
from node import NAME, Node

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def proven(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with a signed statement of `prove --all`, while a Pod, a static Pod and one under gVisor run."""
    folder = tmp_path_factory.mktemp("proofs")
    start(node, pod("plain"))
    start(node, pod("boxed", "gvisor"))
    static = node.manifests() / "pinned.yaml"
    static.write_text(yaml.safe_dump(pod("pinned")))
    await_ready(node, f"pinned-{NAME}")
    for command in ("genpkey -algorithm ed25519 -out key", "pkey -in key -pubout -out pub"):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    statement = ["--sign", str(folder / "key"), "--statement", str(folder / "statement"), "-o", "json"]
    (folder / "list").write_text(casemate("prove", "--all", "--cri", node.socket, "--node-name", NAME, *statement))
    yield folder
    static.unlink()
    for name in ("plain", "boxed"):
        remove(node, f"{pods()}/{name}")


def items(text: str) -> dict[str, Object]:
    return {each["subject"]: each for each in json.loads(text)["items"]}


def test_every_handler_and_every_pod_is_proven(proven: Path) -> None:
    found = items((proven / "list").read_text())
    assert {f"handler/{each}" for each in ("runc", "crun", "runsc", "wasm")} <= set(found)
    assert {"pod/default/plain", "pod/default/boxed", f"pod/default/pinned-{NAME}"} <= set(found)
    assert {each["result"] for each in found.values()} == {"proven"}
    assert found["pod/default/boxed"]["shown"] == "sandbox"


def test_nothing_of_a_proof_stays_on_the_node(node: Node, proven: Path) -> None:
    assert not [name for name in ready_sandboxes(node) if name.startswith("proof-")]


@pytest.mark.parametrize(("given", "state"), [(False, "declared"), (True, "proven")])
def test_assess_tells_what_is_declared_and_what_is_proven(node: Node, proven: Path, given: bool, state: str) -> None:
    """containerd 1.6 tells kubelet of no handlers: without proofs, the class is no more than declared."""
    proofs = ["--proofs", str(proven / "statement"), "--proofs-key", str(proven / "pub")] if given else []
    kubeconfig = node.cluster.kubeconfig("admin")
    told = casemate("assess", "--kubeconfig", kubeconfig, "--fail-on", "never", "-o", "json", *proofs)
    found = {each["workload"]["name"]: each for each in json.loads(told)["items"]}
    assert found["boxed"]["has"]["state"] == state, found["boxed"]


def test_a_class_that_lies_is_weaker_than_its_name(node: Node) -> None:
    """A RuntimeClass `runsc` whose handler is runc: the API object promises what the sandbox does not have."""
    liar = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "runsc"}, "handler": "runc"}
    node.cluster.apply("/apis/node.k8s.io/v1/runtimeclasses", liar)
    start(node, pod("lied-to", "runsc"))
    cluster = ("--kubeconfig", node.cluster.kubeconfig("admin"), "--node-name", NAME)
    told = casemate("prove", "--pod", "default/lied-to", "--cri", node.socket, *cluster, "-o", "json", code=1)
    found = items(told)["pod/default/lied-to"]
    assert (found["named"], found["shown"], found["result"]) == ("sandbox", "shared", "weaker")
    told = casemate("prove", "--class", "runsc", "--cri", node.socket, *cluster, "-o", "json", code=1)
    assert items(told)["class/runsc"]["result"] == "weaker"
    remove(node, f"{pods()}/lied-to")


def test_an_honest_pod_is_proven_from_its_object_to_its_processes(node: Node, proven: Path) -> None:
    cluster = ("--kubeconfig", node.cluster.kubeconfig("admin"), "--node-name", NAME)
    told = casemate("prove", "--pod", "default/boxed", "--cri", node.socket, *cluster, "-o", "json")
    observed = {each["id"]: each["value"] for each in items(told)["pod/default/boxed"]["observations"]}
    assert observed["handler"] == "runsc, as its class means"
