"""One network for the tests of a file: its addresses, its event loop, three attached namespaces."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from attached_pods import Attached, Loop

from casemate.engine.network import cleanup
from casemate.engine.network.fabric import Fabric
from casemate.engine.network.plan import NetworkPlan, choose, host_networks
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings


@pytest.fixture(scope="module")
def paths() -> Iterator[EnginePaths]:
    paths = EnginePaths(f"net{os.getpid()}")
    yield paths
    for folder in (paths.root, paths.state):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def plan(paths: EnginePaths) -> Iterator[NetworkPlan]:
    plan = choose(paths.name, host_networks())
    yield plan
    cleanup.remove(paths, plan)


@pytest.fixture(scope="module")
def settings(paths: EnginePaths, plan: NetworkPlan) -> EngineSettings:
    return EngineSettings(
        name=paths.name,
        cri_socket=str(paths.socket),
        pod_network=str(plan.pod_network),
        service_network=str(plan.service_network),
        router_network=str(plan.router_network),
        dns_address=str(plan.dns_address),
    )


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def fabric(paths: EnginePaths, settings: EngineSettings, loop: Loop) -> Iterator[Fabric]:
    fabric = Fabric(paths, settings)
    loop(fabric.start())
    yield fabric
    loop(fabric.stop())


@pytest.fixture(scope="module")
def pods(plan: NetworkPlan, paths: EnginePaths) -> Iterator[tuple[Attached, ...]]:
    made = tuple(Attached(name, plan, paths) for name in ("one", "two", "three"))
    yield made
    for each in made:
        each.detach()
