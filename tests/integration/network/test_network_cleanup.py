from __future__ import annotations

import shutil
import subprocess

import pytest
from attached_pods import Attached, service

from casemate.engine.network import cleanup
from casemate.engine.network.fabric import Fabric
from casemate.engine.network.plan import NetworkPlan, choose, host_networks
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings

pytestmark = pytest.mark.root


def traces(paths: EnginePaths, plan: NetworkPlan) -> dict[str, str]:
    """What of the host's state speaks of this engine."""
    block = str(plan.cluster_network.network_address).rsplit(".", 2)[0] + "."
    commands = {
        "routes": "ip -4 route show table all",
        "addresses": "ip -4 -o address",
        "rules": "iptables-save; iptables-legacy-save; nft list ruleset",
        "namespaces": "ls /run/netns",
        "notes": "ls /var/lib/cni/results /run/casemate/*/ipam 2>/dev/null; true",
    }
    found = {
        what: subprocess.run(command, shell=True, capture_output=True, text=True).stdout
        for what, command in commands.items()
    }
    return {
        what: "\n".join(line for line in text.splitlines() if block in line or f"casemate-{paths.name}" in line)
        for what, text in found.items()
    }


def test_pods_that_nobody_stopped_leave_nothing_after_the_cleanup(
    paths: EnginePaths, plan: NetworkPlan, settings: EngineSettings, loop
) -> None:
    pods = [Attached(f"lost{n}", plan, paths) for n in range(3)]
    fabric = Fabric(paths, settings)
    loop(fabric.start())
    loop(fabric.update([service()], [pod.state() for pod in pods]))
    loop(fabric.stop())
    assert all(traces(paths, plan).values())
    for pod in pods:
        pod.kill()

    cleanup.remove(paths, plan)

    assert not any(traces(paths, plan).values())


def test_the_cleanup_of_one_engine_spares_another_whose_name_it_begins(plan: NetworkPlan, paths: EnginePaths) -> None:
    longer = EnginePaths(f"{paths.name}-b")
    other = choose(longer.name, [*host_networks(), plan.cluster_network])
    pod = Attached("kept", other, longer)
    try:
        before = traces(longer, other)
        cleanup.remove(paths, plan)

        assert traces(longer, other) == before
    finally:
        pod.detach()
        cleanup.remove(longer, other)
        shutil.rmtree(longer.state)


def test_a_cleanup_of_nothing_does_nothing(plan: NetworkPlan, paths: EnginePaths) -> None:
    cleanup.remove(paths, plan)
    cleanup.remove(paths, plan)
