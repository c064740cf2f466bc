"""casemate's webhook beside Gatekeeper and Kyverno: directly, and through a real API server."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "cluster"))

import kubernetes
from apiserver import Cluster, Running
from webhook import Webhook, by_url, free_port, make, manifests, served

from benchmarks.admission import peers, pods, processes, programs
from benchmarks.admission.peers import Peer
from casemate import __version__
from casemate.admission import webhooks

FLAGS = ("--disable-admission-plugins=ServiceAccount", "--allow-privileged=true")
CONNECTIONS = 8
CLASSES = (("gvisor", "runsc"), ("kata", "kata-qemu"), ("runc", "runc"))


@dataclass(frozen=True)
class Round:
    """What one tool did in one turn. `processor` is in seconds, memory in MiB, latencies in milliseconds."""

    way: str
    tool: str
    answers: int
    seconds: float
    processor: float
    p50: float
    p99: float
    mebibytes: float
    wrong: int
    failed: int


def measure(rounds: int, seconds: float, wanted: Sequence[str]) -> dict[str, Any]:
    """Rounds of all tools, interleaved, in another order each time."""
    kubernetes.build()
    load, made, problems = programs.load(), [], {}
    with TemporaryDirectory(prefix="casemate-admission-") as name, ExitStack() as running:
        folder = Path(name)
        (folder / "cluster").mkdir()
        cluster = running.enter_context(Running(folder / "cluster", *FLAGS))
        make(cluster, *pods.namespaces(), *_classes())
        running.callback(peers.end_all)
        found = {}
        for tool, start in STARTS.items():
            if tool in wanted:
                try:
                    found[tool] = start(cluster, folder)
                    running.callback(peers.end, found[tool].process)
                except (RuntimeError, subprocess.CalledProcessError, AssertionError) as error:
                    problems[tool] = f"{error}\n{_log(folder, tool)}"
        plans = list(_plans(cluster, folder, found))
        for plan in plans:
            _settle(plan, load)
        for number in range(rounds):
            random.Random(number).shuffle(plans)
            made += [plan.run(load, seconds) for plan in plans]
    return {"rounds": [asdict(each) for each in made], "problems": problems, "versions": _versions(found)}


def _versions(found: dict[str, Peer]) -> dict[str, str]:
    return {"kube-apiserver": kubernetes.VERSION, **{tool: peer.version for tool, peer in found.items()}}


def _log(folder: Path, tool: str) -> str:
    file = folder / f"{tool}.log"
    return "".join(file.read_text().splitlines(keepends=True)[-12:]) if file.exists() else ""


def _casemate(cluster: Cluster, folder: Path) -> Peer:
    """casemate as it is packaged, with two workers, asked about its Pods."""
    port = free_port()
    make(cluster, *manifests("crds"), *manifests("namespace"))
    make(cluster, *(each for each in manifests("casemate") if each["kind"] != "Deployment"))
    peers.wait(lambda: served(cluster), "casemate's definitions")
    make(cluster, *(_narrowed(by_url(each, port)) for each in webhooks.configurations("casemate-system")))
    peers.apply(cluster, *peers.documents(peers.DATA / "casemate.yaml"))
    webhook = Webhook(cluster, folder / "casemate", port)
    webhook.start()
    process = webhook.process
    assert process
    return Peer("casemate", __version__, process, f"https://127.0.0.1:{port}", "/mutate", "/validate")


def _narrowed(configuration: dict[str, Any]) -> dict[str, Any]:
    """The webhooks for workloads alone, and for the namespaces that are casemate's."""
    kept = [each for each in configuration["webhooks"] if each["name"].startswith("workloads.")]
    for each in kept:
        each["namespaceSelector"] = {"matchLabels": {"asks": "casemate"}}
    return {**configuration, "webhooks": kept}


STARTS: dict[str, Callable[[Cluster, Path], Peer]] = {
    "casemate": _casemate,
    "gatekeeper": peers.gatekeeper,
    "kyverno": peers.kyverno,
}


def _classes() -> list[dict[str, Any]]:
    version = "node.k8s.io/v1"
    return [
        {"apiVersion": version, "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}
        for name, handler in CLASSES
    ]


@dataclass(frozen=True)
class _Plan:
    way: str
    tool: str
    calls: Path
    url: str
    token: str
    pid: int | None
    pause: str = "0"

    def run(self, load: Path, seconds: float) -> Round:
        before = processes.processor_seconds(self.pid) if self.pid else 0.0
        command = [str(load), f"-url={self.url}", f"-calls={self.calls}", f"-token={self.token}"]
        command += [f"-connections={CONNECTIONS}", f"-seconds={seconds}", f"-pause={self.pause}"]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        took = processes.processor_seconds(self.pid) - before if self.pid else 0.0
        if said["samples"]:
            print(self.way, self.tool, *said["samples"][:2], sep="\n  ", file=sys.stderr)
        return Round(
            way=self.way,
            tool=self.tool,
            answers=said["answers"],
            seconds=said["seconds"],
            processor=round(took, 2),
            p50=said["p50"],
            p99=said["p99"],
            mebibytes=round(processes.mebibytes(self.pid), 1) if self.pid else 0.0,
            wrong=said["wrong"],
            failed=said["failed"],
        )


def _settle(plan: _Plan, load: Path) -> None:
    """Until its policies are in force, and caches are warm."""
    ends = time.monotonic() + 60
    while (seen := plan.run(load, 1.0)).wrong or seen.failed:
        if time.monotonic() > ends:
            print(f"{plan.tool}, {plan.way}: {seen.wrong} answers are not as they must be", file=sys.stderr)
            return


def _plans(cluster: Cluster, folder: Path, found: dict[str, Peer]) -> Iterator[_Plan]:
    for tool, peer in found.items():
        calls = folder / f"{tool}-reviews"
        pods.write_reviews(calls, tool, peer.mutate, peer.validate)
        yield _Plan("direct", tool, calls, peer.url, "", peer.process.pid)
        yield _Plan("paced", tool, calls, peer.url, "", peer.process.pid, "20ms")
    for tool in ("none", *found):
        calls = folder / f"{tool}-creates"
        pods.write_creates(calls, tool)
        yield _Plan("API server", tool, calls, cluster.server, "admin-token", _pid(found, tool))


def _pid(found: dict[str, Peer], tool: str) -> int | None:
    return found[tool].process.pid if tool in found else None
