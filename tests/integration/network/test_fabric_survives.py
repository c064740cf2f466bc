"""The supervisor is killed; the network goes on, and a new supervisor takes it over."""

from __future__ import annotations

import signal
import subprocess
import sys

import dns.message
import dns.query
import msgspec
import pytest
from attached_pods import Attached

from casemate.engine.network.plan import NetworkPlan
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings

pytestmark = pytest.mark.root

# Keeps one sticky Service with the Pods given as JSON, and says its address when it is routed.
_SUPERVISOR = """
import asyncio, sys
import msgspec
from casemate.engine.network.fabric import Fabric
from casemate.engine.network.services import PodState, ServiceKey
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.model.kube.objects import Service

async def main(name, settings, service, pods):
    fabric = Fabric(EnginePaths(name), msgspec.json.decode(settings, type=EngineSettings))
    await fabric.start()
    await fabric.update(
        [msgspec.json.decode(service, type=Service)], msgspec.json.decode(pods, type=tuple[PodState, ...])
    )
    print(fabric.cluster_ip(ServiceKey("default", "web")), flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""
_SERVICE = (
    '{"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}, '
    '"sessionAffinity": "ClientIP", "ports": [{"port": 80, "targetPort": 8080}]}}'
)


class Supervisor:
    def __init__(self, settings: EngineSettings, pods: tuple[Attached, ...]) -> None:
        states = msgspec.json.encode([pod.state() for pod in pods]).decode()
        text = msgspec.json.encode(settings).decode()
        command = [sys.executable, "-c", _SUPERVISOR, settings.name, text, _SERVICE, states]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.address = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def killed(settings: EngineSettings, pods: tuple[Attached, ...]) -> Supervisor:
    supervisor = Supervisor(settings, pods)
    assert supervisor.address
    supervisor.kill()
    return supervisor


def test_services_go_on_without_a_supervisor(killed: Supervisor, pods: tuple[Attached, ...]) -> None:
    assert pods[0].ask(killed.address, 80).split()[0] in ("one", "two", "three")


def test_a_new_supervisor_adopts_addresses_affinity_and_names(
    killed: Supervisor, settings: EngineSettings, plan: NetworkPlan, pods: tuple[Attached, ...]
) -> None:
    before = {pod.name: pod.ask(killed.address, 80) for pod in pods}
    second = Supervisor(settings, pods)
    try:
        assert second.address == killed.address
        assert {pod.name: pod.ask(second.address, 80) for pod in pods} == before
        query = dns.message.make_query("web.default.svc.cluster.local", "A")
        answer = dns.query.udp(query, str(plan.dns_address), timeout=3)
        assert [str(each) for each in answer.answer[0]] == [second.address]
    finally:
        second.kill()


def test_a_router_that_lost_its_namespace_is_made_anew(
    killed: Supervisor, settings: EngineSettings, paths: EnginePaths, pods: tuple[Attached, ...]
) -> None:
    subprocess.run(["ip", "netns", "delete", f"casemate-{paths.name}"], check=True)
    second = Supervisor(settings, pods)
    try:
        assert pods[0].ask(second.address, 80).split()[0] in ("one", "two", "three")
    finally:
        second.kill()


def test_a_router_whose_mount_is_gone_is_made_anew(
    killed: Supervisor, settings: EngineSettings, paths: EnginePaths, pods: tuple[Attached, ...]
) -> None:
    subprocess.run(["umount", f"/run/netns/casemate-{paths.name}"], check=True)
    second = Supervisor(settings, pods)
    try:
        assert pods[0].ask(second.address, 80).split()[0] in ("one", "two", "three")
    finally:
        second.kill()
