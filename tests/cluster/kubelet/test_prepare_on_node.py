"""`casemate node apply` and `revert` on a node whose kubelet runs Pods: none is lost."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubelet_pods import CASEMATE, pod, pods, read, remove, sandbox_ids, start, until
from node import Node

pytestmark = pytest.mark.root

STAYS = {"stays": None, "stays-boxed": "gvisor"}
YOUKI = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "youki"},
    "handler": "youki",
}


@pytest.fixture
def youki() -> Iterator[None]:
    """A program of that name where `node` looks: runc's, as youki is not in Debian."""
    runc = shutil.which("runc")
    assert runc
    program = Path("/usr/local/sbin/youki")
    assert not program.exists() or filecmp.cmp(program, runc), "a real one; a killed run of these tests leaves runc's"
    shutil.copy(runc, program)
    yield
    program.unlink()


@pytest.mark.usefixtures("youki")
def test_a_handler_is_added_and_taken_away_while_pods_run(node: Node) -> None:
    for name, class_name in STAYS.items():
        start(node, pod(name, class_name))
    config = node.engine.state / "containerd.toml"
    written, running, root = config.read_bytes(), containers(node), set(Path("/").iterdir())

    done = change(node, "apply", "--handler", "youki")
    assert done.returncode == 0, done.stderr
    assert containers(node) == running
    assert set(Path("/").iterdir()) == root, "kubelet cleaned up after a trial without a log"
    node.cluster.apply("/apis/node.k8s.io/v1/runtimeclasses", YOUKI)
    start(node, pod("added", "youki"))
    remove(node, f"{pods()}/added")
    until(lambda: "added" not in sandbox_ids(node), lambda: str(sandbox_ids(node)))

    done = change(node, "revert")
    assert done.returncode == 0, done.stderr
    assert config.read_bytes() == written
    assert containers(node) == running


def change(node: Node, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The engine's supervisor starts a containerd that ended, with the configuration that is there."""
    restart = f"kill $(cat {node.engine.state}/containerd.pid)"
    config = str(node.engine.state / "containerd.toml")
    where = ("--socket", node.socket, "--config", config, "--restart", restart, "--yes")
    command = [CASEMATE, "node", *arguments, *where]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def containers(node: Node) -> dict[str, tuple[str, int]]:
    """Container id and number of restarts of each Pod that stays."""
    found = {}
    for name in STAYS:
        (status,) = read(node, f"{pods()}/{name}")["status"]["containerStatuses"]
        found[name] = (status["containerID"], status["restartCount"])
    return found
