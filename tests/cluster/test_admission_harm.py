"""No request is wrongly answered while the webhook is harmed under load, and none is refused twice for that reason.

The same for ten minutes: `python tests/cluster/load.py 600`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import kubernetes
import pytest
from apiserver import Cluster
from load import Load, Seen, killing, pod, set_up, swapping
from webhook import Restartable, Webhook, free_port, post, refused_once, wait_for


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Restartable, Cluster]]:
    kubernetes.build()
    made = Restartable(tmp_path_factory.mktemp("admission"))
    with made as found:
        yield made, found


@pytest.fixture(scope="module")
def cluster(running: tuple[Restartable, Cluster]) -> Cluster:
    return running[1]


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """A replica whose certificate is renewed every few seconds, and its CA every half minute."""
    lifetime = f"--certificate-days={10 / 86400}"
    found = Webhook(cluster, tmp_path_factory.mktemp("webhook"), free_port(), (lifetime,))
    set_up(cluster, found)
    yield found
    assert found.stop() == 0, found.log()


def assert_right(seen: Seen) -> None:
    assert not seen.wrong, seen.wrong[:3]
    assert not seen.failed, seen.failed[:3]
    assert seen.outcomes["refused"] > 20
    assert seen.outcomes["admitted"] > 20


def test_policies_are_swapped_under_load(cluster: Cluster, webhook: Webhook) -> None:
    seen = asyncio.run(Load(cluster).run(8, (0.5, "swap", swapping(cluster))))
    assert_right(seen)
    assert not seen.outcomes["call failed"]


def test_certificates_and_cas_change_under_load(cluster: Cluster, webhook: Webhook) -> None:
    before = webhook.log().count('"which": "server"')
    ca = bundle(cluster)
    seen = asyncio.run(Load(cluster, clients=4).run(35))
    assert_right(seen)
    assert not seen.outcomes["call failed"]
    assert webhook.log().count('"which": "server"') > before
    assert bundle(cluster) != ca


def bundle(cluster: Cluster) -> str:
    with cluster.client() as client:
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/casemate-admission"
        return str(client.get(path).json()["webhooks"][0]["clientConfig"]["caBundle"])


def test_new_connections_are_served_while_a_certificate_changes(webhook: Webhook) -> None:
    """Each request on a connection of its own, by whichever CA is the newest."""
    ends = time.monotonic() + 20
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while time.monotonic() < ends:
        with httpx.Client(verify=context, trust_env=False) as client:
            assert client.get(f"https://127.0.0.1:{webhook.port}/readyz").text == "ready"


def test_killed_processes_are_replaced_under_load(cluster: Cluster, webhook: Webhook) -> None:
    before = set(webhook.children())
    seen = asyncio.run(Load(cluster).run(10, (1.0, "kill -9", killing(webhook))))
    assert_right(seen)
    wait_for(lambda: len(webhook.children()) == len(before), "every process to be back")
    assert set(webhook.children()) != before
    webhook.wait_ready()


def test_processes_that_hang_are_replaced(cluster: Cluster, webhook: Webhook) -> None:
    """All of them at once: those that judge, and the one that renews their certificate."""
    hanging = set(webhook.children())
    for each in hanging:
        os.kill(each, signal.SIGSTOP)
    wait_for(lambda: len(set(webhook.children()) - hanging) == len(hanging), "every process to be replaced", 60)
    wait_for(lambda: refused_once(cluster, pod("plain")), "the next ones to answer")
    webhook.wait_ready()


def test_the_webhook_outlives_the_api_server(running: tuple[Restartable, Cluster], webhook: Webhook) -> None:
    restartable, cluster = running
    restartable.restart(cluster)
    wait_for(lambda: refused_once(cluster, pod("plain")), "the policy to be in force")
    seen = asyncio.run(Load(cluster).run(5, (1.0, "swap", swapping(cluster))))
    assert_right(seen)


def test_two_replicas_agree_on_their_ca_and_one_leaves_without_a_loss(
    cluster: Cluster, webhook: Webhook, tmp_path: Path
) -> None:
    """Both listen on one port, as behind one Service."""
    second = Webhook(cluster, tmp_path / "second", webhook.port, webhook.arguments)
    second.start()
    second.wait_ready()

    async def leave() -> None:
        await asyncio.to_thread(second.stop)

    seen = asyncio.run(Load(cluster).run(8, (3.0, "leave", leave)))
    assert_right(seen)
    assert seen.outcomes["call failed"] <= 8  # Connections that waited at the socket that was closed.
    assert post(cluster, pod(), dry_run=True).status_code == 201
