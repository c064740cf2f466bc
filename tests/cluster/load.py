"""Load on a real API server while the webhook is harmed: `python tests/cluster/load.py [SECONDS]`, 600 unless told.

Half of the Pods name no class and must get gVisor; half name one that is never permitted and must be refused. All
requests are dry runs. What is told apart: right answers, wrong ones (admitted as it must not be, or refused though it
is right), and calls of the webhook that failed, which the API server refuses: once repeated, as every client of
Kubernetes does, none of them may fail again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import kubernetes
from apiserver import Cluster
from webhook import Restartable, Webhook, free_port, install, make, path, refused_once, wait_for

Object = dict[str, Any]
Harm = Callable[[], Awaitable[None]]

CLASSES = (("gvisor", "runsc"), ("kata", "kata-qemu"), ("plain", "runc"))


def runtime_classes() -> list[Object]:
    version = "node.k8s.io/v1"
    return [
        {"apiVersion": version, "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}
        for name, handler in CLASSES
    ]


def policy(*permitted: str) -> Object:
    match = {"namespaces": {"names": ["team-a"]}}
    spec = {"match": match, "default": "gvisor", "permitted": list(permitted)}
    return {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "IsolationPolicy",
        "metadata": {"name": "tenants"},
        "spec": spec,
    }


def pod(runtime_class: str = "") -> Object:
    spec: Object = {"containers": [{"name": "main", "image": "registry.test/web:1"}]}
    spec |= {"runtimeClassName": runtime_class} if runtime_class else {}
    meta = {"generateName": "load-", "namespace": "team-a"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@dataclass
class Seen:
    """What came of the requests."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    harms: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        times = sorted(self.times) or [0.0]
        half, most = times[len(times) // 2], times[int(len(times) * 0.99)]
        return (
            f"{dict(self.outcomes)}, wrong {len(self.wrong)}, failed twice {len(self.failed)}; "
            f"p50 {half * 1000:.0f} ms, p99 {most * 1000:.0f} ms; {dict(self.harms)}"
        )


class Load:
    """Many clients at once, each on a connection of its own."""

    def __init__(self, cluster: Cluster, clients: int = 8) -> None:
        self._cluster = cluster
        self._clients = clients
        self.seen = Seen()

    async def run(self, seconds: float, *harms: tuple[float, str, Harm]) -> Seen:
        """Ask for so long, and do each harm every so many seconds."""
        ends = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client(ends))
            for every, name, harm in harms:
                group.create_task(self._harm(ends, every, name, harm))
        return self.seen

    async def _harm(self, ends: float, every: float, name: str, harm: Harm) -> None:
        while time.monotonic() + every < ends - 1:
            await asyncio.sleep(every)
            await harm()
            self.seen.harms[name] += 1

    async def _client(self, ends: float) -> None:
        verify = ssl.create_default_context(cafile=str(self._cluster.ca))
        headers = {"Authorization": "Bearer admin-token"}
        url = self._cluster.server
        async with httpx.AsyncClient(
            base_url=url, verify=verify, headers=headers, timeout=30, trust_env=False
        ) as client:
            while time.monotonic() < ends:
                unwanted = random.random() < 0.5
                await self._ask(client, pod("plain") if unwanted else pod(), unwanted=unwanted)

    async def _ask(self, client: httpx.AsyncClient, body: Object, *, unwanted: bool) -> None:
        for again in (False, True):
            began = time.perf_counter()
            try:
                answer = await client.post("/api/v1/namespaces/team-a/pods?dryRun=All", json=body)
            except httpx.HTTPError as error:  # The API server itself is away: its clients wait for it.
                self.seen.outcomes["API server away"] += 1
                await asyncio.sleep(0.5)
                del error
                return
            self.seen.times.append(time.perf_counter() - began)
            if not _failed(answer):
                self._note(answer, unwanted=unwanted)
                return
            self.seen.outcomes["call failed" if "calling webhook" in answer.text else "API server away"] += 1
            if again and "calling webhook" in answer.text:
                self.seen.failed.append(answer.text[:300])
            await asyncio.sleep(0.1)

    def _note(self, answer: httpx.Response, *, unwanted: bool) -> None:
        if answer.status_code == 201:
            right = not unwanted and answer.json()["spec"].get("runtimeClassName") == "gvisor"
        else:
            right = unwanted and answer.status_code == 403 and "class-not-permitted" in answer.text
        self.seen.outcomes["refused" if unwanted else "admitted"] += right
        if not right:
            self.seen.wrong.append(f"{answer.status_code} {answer.text[:300]}")


def _failed(answer: httpx.Response) -> bool:
    """Whether it is no answer yet: also from an API server that has just begun, whose own plugins are not ready."""
    away = answer.status_code in (429, 503, 504) or "not yet ready to handle request" in answer.text
    return away or (answer.status_code == 500 and "failed calling webhook" in answer.text)


def killing(webhook: Webhook) -> Harm:
    """Kill a process at random, as the kernel would for want of memory."""

    async def harm() -> None:
        os.kill(random.choice(webhook.children()), signal.SIGKILL)

    return harm


def swapping(cluster: Cluster) -> Harm:
    """Put the policy in another's place: what both permit and neither permits stays so."""
    versions = [policy("gvisor"), policy("gvisor", "kata")]

    async def harm() -> None:
        versions.reverse()

        def put() -> None:
            with cluster.client() as client:
                kind = {"Content-Type": "application/merge-patch+json"}
                change = {"spec": {"permitted": versions[0]["spec"]["permitted"]}}
                client.patch(path(versions[0]), content=json.dumps(change), headers=kind).raise_for_status()

        with contextlib.suppress(httpx.HTTPError):  # The API server may be away.
            await asyncio.to_thread(put)

    return harm


def set_up(cluster: Cluster, webhook: Webhook) -> None:
    """A cluster whose policy is in force."""
    install(cluster, webhook.port)
    webhook.start()
    webhook.wait_ready()
    make(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    make(cluster, *runtime_classes(), policy("gvisor"))
    wait_for(lambda: refused_once(cluster, pod("plain")), "the policy to be in force")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    kubernetes.build()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cluster").mkdir()
        running = Restartable(folder / "cluster")
        with running as cluster:
            # Certificates that live for 40 seconds: the server's is made anew every half minute, the CA every two.
            webhook = Webhook(cluster, folder / "webhook", free_port(), (f"--certificate-days={40 / 86400}",))
            set_up(cluster, webhook)
            load = Load(cluster)

            async def restart() -> None:
                await asyncio.to_thread(running.restart, cluster)

            harms = [(5.0, "kill -9", killing(webhook)), (2.0, "swap", swapping(cluster)), (150.0, "restart", restart)]
            try:
                print(asyncio.run(load.run(seconds, *harms)))
                print(*load.seen.wrong[:10], *load.seen.failed[:10], sep="\n")
                log = webhook.log()
                print("certificates:", log.count('"which": "server"'), "CAs:", log.count('"which": "ca"'))
            finally:
                webhook.stop()
                Path("/tmp/casemate-load.log").write_text(webhook.log())


if __name__ == "__main__":
    main()
