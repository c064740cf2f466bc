"""`casemate prove cluster` against a real API server: what nodes published, and what is not assumed of the others."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver import Cluster

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof, Result, Side
from casemate.prove import published

CASEMATE = str(Path(sys.executable).with_name("casemate"))
NODES, CLASSES, NAMESPACES = "/api/v1/nodes", "/apis/node.k8s.io/v1/runtimeclasses", "/api/v1/namespaces"
READER = "proof-reader"  # what other tests grant to readers is none of its rights
BOOTS = {"p-proven": "boot-p", "p-silent": "boot-s", "p-restarted": "boot-new"}


def proof(node: str, handler: str, boundary: Boundary, boot: str) -> Proof:
    return Proof(
        subject=f"handler/{handler}",
        node=node,
        handler=handler,
        named=boundary,
        shown=boundary,
        result=Result.PROVEN,
        observations=(Observation(id="processes", side=Side.NODE, value="seen", supports=boundary),),
        seconds=0.5,
        time=time.time(),
        boot=boot,
    )


@pytest.fixture(scope="module")
def key(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The public key of what two of three nodes published; one of them was restarted since."""
    folder = tmp_path_factory.mktemp("published")
    for command in ("genpkey -algorithm ed25519 -out key", "pkey -in key -pubout -out pub"):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    for name, handler, labels in (
        ("runsc", "runsc", {"pool": "a"}),
        ("crun", "crun", {}),
        ("kata", "kata", {"p": "x"}),
    ):
        body = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}
        cluster.apply(CLASSES, body | ({"scheduling": {"nodeSelector": labels}} if labels else {}))
    cluster.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": published.NAMESPACE}})
    for name, boot in BOOTS.items():
        labels = {"pool": "b" if name == "p-silent" else "a"}
        status = {"nodeInfo": dict.fromkeys(INFO, "") | {"bootID": boot}}
        meta = {"name": name, "labels": labels}
        cluster.apply(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": meta, "status": status})
    for name, boot in (("p-proven", "boot-p"), ("p-restarted", "boot-old")):
        proofs = [proof(name, "runsc", Boundary.SANDBOX, boot), proof(name, "crun", Boundary.SHARED, boot)]
        data = {published.STATEMENT: published.signed(proofs, folder / "key"), published.STALE: ""}
        cluster.apply(published.PATH, published.config_map(name, data))
    _let_read(cluster)
    yield folder / "pub"
    with cluster.client() as client:
        for path in (
            *(f"{NODES}/{each}" for each in BOOTS),
            *(f"{CLASSES}/{each}" for each in ("runsc", "crun", "kata")),
        ):
            client.delete(path)


INFO = (
    "machineID",
    "systemUUID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def _let_read(cluster: Cluster) -> None:
    """What docs/how-to/prove-a-cluster.md says that a reader needs, and no more."""
    _grant(cluster, "Cluster", _lists("", "nodes"), _lists("node.k8s.io", "runtimeclasses"))
    _grant(cluster, "", _lists("", "configmaps"))


def _lists(group: str, resource: str) -> dict[str, list[str]]:
    return {"apiGroups": [group], "resources": [resource], "verbs": ["list"]}


def _grant(cluster: Cluster, scope: str, *rules: dict[str, list[str]]) -> None:
    group = "rbac.authorization.k8s.io"
    where = {} if scope else {"namespace": published.NAMESPACE}
    meta = {"apiVersion": f"{group}/v1", "metadata": {"name": "p-reader", **where}}
    root = f"/apis/{group}/v1" + (f"/namespaces/{published.NAMESPACE}" if where else "")
    named = {"apiGroup": group, "kind": f"{scope}Role", "name": "p-reader"}
    subjects = [{"kind": "User", "name": READER, "apiGroup": group}]
    cluster.apply(f"{root}/{scope.lower()}roles", meta | {"kind": f"{scope}Role", "rules": rules})
    binding = {"kind": f"{scope}RoleBinding", "roleRef": named, "subjects": subjects}
    cluster.apply(f"{root}/{scope.lower()}rolebindings", meta | binding)


def ask(cluster: Cluster, key: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ["--kubeconfig", cluster.kubeconfig(READER), "--key", str(key)]
    return subprocess.run(
        [CASEMATE, "prove", "cluster", *where, *arguments], capture_output=True, text=True, timeout=120
    )


def test_only_what_was_proven_in_this_boot_of_each_node_is_proven(cluster: Cluster, key: Path) -> None:
    wanted = [option for name in ("crun", "runsc", "kata") for option in ("--class", name)]
    done = ask(cluster, key, *wanted, "-o", "json")
    assert done.returncode == 1, done.stderr
    found = {(each["subject"], each["node"]): each for each in json.loads(done.stdout)["items"]}
    results = {place: each["result"] for place, each in found.items() if place[1] in ("", *BOOTS)}
    assert results == {
        ("class/crun", "p-proven"): "proven",
        ("class/crun", "p-restarted"): "unprovable",
        ("class/crun", "p-silent"): "unprovable",
        ("class/runsc", "p-proven"): "proven",
        ("class/runsc", "p-restarted"): "unprovable",
        ("class/kata", ""): "unprovable",
    }
    assert "another boot" in found["class/crun", "p-restarted"]["observations"][0]["value"]


def test_the_table_tells_where_and_why(cluster: Cluster, key: Path) -> None:
    done = ask(cluster, key, "--class", "crun", "--node-name", "p-proven", "--node-name", "p-silent")
    assert done.stdout.splitlines()[0].split()[:4] == ["SUBJECT", "NODE", "AT", "HANDLER"]
    assert "class/crun on p-silent: statement (the node): the node published nothing" in done.stdout


def test_it_ends_with_0_when_all_that_was_asked_for_is_proven(cluster: Cluster, key: Path) -> None:
    done = ask(cluster, key, "--class", "crun", "--class", "runsc", "--node-name", "p-proven")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--class", "nobody"], "no 'nobody'"), (["--node-name", "nowhere"], "no 'nowhere'")],
)
def test_what_the_cluster_lacks_is_said(cluster: Cluster, key: Path, arguments: list[str], told: str) -> None:
    done = ask(cluster, key, *arguments)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_a_reader_without_rights_is_told_which(cluster: Cluster, key: Path) -> None:
    where = ["--kubeconfig", cluster.kubeconfig("nobody"), "--key", str(key)]
    done = subprocess.run([CASEMATE, "prove", "cluster", *where], capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert "runtimeclasses" in done.stderr
    assert "Traceback" not in done.stderr


def test_pods_may_only_be_made_by_whoever_has_that_right(cluster: Cluster, key: Path) -> None:
    done = ask(cluster, key, "--probe", "--class", "crun", "--node-name", "p-proven")
    assert done.returncode == 4
    assert "pods" in done.stderr
