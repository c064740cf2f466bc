"""One node for all tests of this folder, with an image that needs no registry."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes
import pytest
from node import Node, RunningNode

from casemate.engine.cri.client import CriClient
from casemate.images import build, layout, reference, store

sys.path.append(str(Path(__file__).parents[3] / "examples" / "shop"))
from busybox import PATH, busybox

IMAGE = "casemate.local/busybox:1"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A cluster whose one node runs runc, crun, gVisor and Wasm."""
    kubernetes.build_all()
    folder = tmp_path_factory.mktemp("node")
    with RunningNode(folder, "kubelet") as found:
        _add_image(folder, found.socket)
        yield found


@pytest.fixture
def sandboxes(node: Node) -> Callable[[], dict[str, str]]:
    """The handler of each sandbox on the node, by the Pod's name, as containerd says."""
    return lambda: asyncio.run(_handlers(node.socket))


async def _handlers(socket: str) -> dict[str, str]:
    async with CriClient(socket) as client:
        return {each.metadata.name: each.runtime_handler for each in await client.pod_sandboxes({})}


def _add_image(folder: Path, socket: str) -> None:
    name = reference.parse(IMAGE)
    file = folder / "busybox.tar"
    build.write(file, name, busybox(), build.Settings(environment={"PATH": PATH}))
    store.add(layout.read(file, name), name, socket)
