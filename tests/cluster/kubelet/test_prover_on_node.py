"""The prober as a DaemonSet: what it publishes, what a reader makes of it, and what its account may not do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import prober
import pytest
from kubelet_pods import Object, casemate, pod, pods, read, ready_sandboxes, remove, start, until
from node import NAME, Node

from casemate.model.proof import Program, Proof, Result
from casemate.prove import node_kernel, published, statement
from casemate.prove.published import ConfigMap

pytestmark = pytest.mark.root

CLASSES = {"runc": "shared", "crun": "shared", "gvisor": "sandbox", "wasm": "sandbox"}
RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


@pytest.fixture(scope="module")
def key(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The public key of a prober that has proven all handlers: where a machine is busy, what it could not show it tries
    again after a minute."""
    folder = tmp_path_factory.mktemp("prover")
    prober.start(node, folder)
    until(lambda: proven(node, folder / "pub"), lambda: prober.told(node), prober.SECONDS)
    yield folder / "pub"
    prober.stop(node)
    assert not [name for name in ready_sandboxes(node) if name.startswith("proof-")]


def prove_cluster(node: Node, key: Path, *arguments: str, code: int = 0) -> dict[str, Object]:
    """`prove cluster` by class. It must end with that code."""
    where = ("--kubeconfig", node.cluster.kubeconfig("admin"), "--key", str(key), "-o", "json")
    found = json.loads(casemate("prove", "cluster", *where, *arguments, code=code))
    assert found["kind"] == "ProofList"
    return {each["subject"].removeprefix("class/"): each for each in found["items"]}


def options(*classes: str) -> list[str]:
    return [each for name in classes for each in ("--class", name)]


def test_every_class_is_proven_on_the_node(node: Node, key: Path) -> None:
    found = prove_cluster(node, key, *options(*CLASSES))
    meta, owner = read(node, prober.CONFIG_MAP)["metadata"], read(node, f"/api/v1/nodes/{NAME}")["metadata"]["uid"]
    assert [each["uid"] for each in meta["ownerReferences"]] == [owner], "it goes with its node"
    assert {name: (each["node"], each["shown"], each["result"]) for name, each in found.items()} == {
        name: (NAME, boundary, "proven") for name, boundary in CLASSES.items()
    }


def test_a_pod_of_the_api_server_is_proven_under_every_class(node: Node, key: Path) -> None:
    found = prove_cluster(node, key, *options(*CLASSES), "--probe")
    assert {name: each["result"] for name, each in found.items()} == dict.fromkeys(CLASSES, "proven")
    observed = {each["id"]: each["value"] for each in found["gvisor"]["observations"]}
    assert observed["pod-handler"] == "its sandbox is of runsc, as the class names"
    assert not read(node, pods("casemate-probe"))["items"]


def test_a_class_that_is_pointed_at_runc_is_weaker_at_once(node: Node, key: Path) -> None:
    honest = read(node, f"{RUNTIME_CLASSES}/gvisor")
    honest["metadata"] = {"name": "gvisor"}
    remove(node, f"{RUNTIME_CLASSES}/gvisor")
    node.cluster.apply(RUNTIME_CLASSES, honest | {"handler": "runc"})
    try:
        for probe in ((), ("--probe",)):
            found = prove_cluster(node, key, "--class", "gvisor", *probe, code=1)["gvisor"]
            assert (found["handler"], found["shown"], found["result"]) == ("runc", "shared", "weaker")
    finally:
        remove(node, f"{RUNTIME_CLASSES}/gvisor")
        node.cluster.apply(RUNTIME_CLASSES, honest)
    assert prove_cluster(node, key, "--class", "gvisor")["gvisor"]["result"] == "proven"


def test_a_class_of_a_handler_that_the_node_lacks_is_not_assumed(node: Node, key: Path) -> None:
    body = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "kata"}, "handler": "kata"}
    node.cluster.apply(RUNTIME_CLASSES, body)
    found = prove_cluster(node, key, "--class", "kata", code=1)["kata"]
    remove(node, f"{RUNTIME_CLASSES}/kata")
    assert (found["result"], found["observations"][0]["value"]) == ("unprovable", "the node has no handler kata")


def test_assess_takes_the_published_proofs_of_its_own_accord(node: Node, key: Path) -> None:
    start(node, pod("published", "gvisor"))
    where = ("--kubeconfig", node.cluster.kubeconfig("admin"), "--proofs-key", str(key))
    told = casemate("assess", *where, "--fail-on", "never", "-o", "json")
    remove(node, f"{pods()}/published")
    found = {each["workload"]["name"]: each for each in json.loads(told)["items"]}
    assert found["published"]["has"]["state"] == "proven"


def test_a_program_that_is_put_in_runscs_place_is_seen_in_the_cluster(node: Node, key: Path) -> None:
    """What was published is stale at once; then it is proven again, and weaker."""
    program = node.engine.root / "runtimes" / "runsc" / "runsc"
    real = program.readlink()
    honest = proven_with(node, key, "runsc")
    put(program, lambda file: file.write_text(f'#!/bin/sh\nexec {real} --host-uds=all "$@"\n'))
    try:
        until(lambda: proven_with(node, key, "runsc") not in (honest, ()), lambda: prober.told(node), prober.SECONDS)
        found = prove_cluster(node, key, "--class", "gvisor", code=1)["gvisor"]
    finally:
        put(program, lambda file: file.symlink_to(real))
    assert found["result"] == "weaker"
    until(lambda: proven_with(node, key, "runsc") == honest, lambda: prober.told(node), prober.SECONDS)
    until(lambda: proven(node, key), lambda: prober.told(node), prober.SECONDS)


def put(program: Path, write: Callable[[Path], object]) -> None:
    """Put a file in a program's place, from one moment to the next."""
    fresh = program.with_suffix(".new")
    write(fresh)
    if not fresh.is_symlink():
        fresh.chmod(0o755)
    fresh.replace(program)


def proven_with(node: Node, key: Path, name: str) -> tuple[Program, ...]:
    """The programs that a handler was proven with; none while nothing counts."""
    return next((each.programs for each in counting(node, key) if each.subject == f"handler/{name}"), ())


def proven(node: Node, key: Path) -> bool:
    """Whether all handlers are."""
    found = counting(node, key)
    return bool(found) and all(each.result is Result.PROVEN for each in found if not each.uid)


def counting(node: Node, key: Path) -> tuple[Proof, ...]:
    """The proofs that count now."""
    found = msgspec.convert(read(node, prober.CONFIG_MAP), ConfigMap)
    return published.read(found, node_kernel.look().boot_id, statement.public_key(key), time.time()).proofs


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (prober.CONFIG_MAP, True),
        (prober.CONFIG_MAP.replace(NAME, "node-2"), False),
        (prober.CONFIG_MAP.replace(prober.NAMESPACE, "default"), False),
    ],
)
def test_a_prober_writes_the_object_of_its_own_node_only(node: Node, key: Path, path: str, allowed: bool) -> None:
    namespace, name = path.split("/")[4], path.split("/")[6]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
    with node.cluster.client(prober.token(node)) as client:
        answer = client.patch(
            f"{path}?fieldManager=somebody&dryRun=All",
            content=json.dumps(body),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
    assert answer.is_success == allowed, answer.text


@pytest.mark.parametrize(
    "path", ["/api/v1/pods", f"/api/v1/namespaces/{prober.NAMESPACE}/secrets", prober.CONFIG_MAP, RUNTIME_CLASSES]
)
def test_a_prober_reads_nothing_of_the_cluster(node: Node, key: Path, path: str) -> None:
    with node.cluster.client(prober.token(node)) as client:
        assert client.get(path).status_code == 403
