"""One node for all tests of this folder, with an image that needs no registry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import kubelet_pods
import kubernetes
import pytest
from node import Node, RunningNode

from casemate.images import build, layout, reference, store

sys.path.append(str(Path(__file__).parents[3] / "examples" / "shop"))
from busybox import PATH, busybox


@pytest.fixture(scope="session")
def running_node(tmp_path_factory: pytest.TempPathFactory) -> RunningNode:
    """What starts and ends the node's processes."""
    kubernetes.build_all()
    return RunningNode(tmp_path_factory.mktemp("node"), "kubelet")


@pytest.fixture(scope="session")
def node(running_node: RunningNode) -> Iterator[Node]:
    """A cluster whose one node runs runc, crun, gVisor and Wasm."""
    with running_node as found:
        _add_image(found.cluster.folder, found.socket)
        yield found


def _add_image(folder: Path, socket: str) -> None:
    name = reference.parse(kubelet_pods.IMAGE)
    file = folder / "busybox.tar"
    build.write(file, name, busybox(), build.Settings(environment={"PATH": PATH}))
    store.add(layout.read(file, name), name, socket)
