"""A cluster of many nodes and Pods: `python benchmarks/nodes.py [NODES] [PODS]`, 1000 and 5000 unless told otherwise.

kwok plays the kubelets; API server, etcd and scheduler are real, all on one machine. It takes minutes, which is why CI
runs tests/cluster/test_kwok_nodes.py instead, with a hundred nodes. Root, as an engine's containerd stands for the
runtime of one of the nodes.

1. The webhook stands before a burst of all Pods; every tenth has a class that is not permitted. Each must get its class
   or be refused, and those that are admitted must come to run on nodes that their class selects. A request that got no
   answer (5xx, which admits nothing) is repeated once, as clients do, and counted.
2. Then nothing but the nodes' heartbeats happens for a minute: how often rules are made anew must be never.
3. The audit judges all of it; `assess --kubeconfig` and `node doctor --kubeconfig` read it. Memory is the peak of the
   process, or for the webhook that of all of its processes together at the end (shared pages count once).
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cluster"))

import httpx
import kubernetes
import kwok
from apiserver import Cluster, Running
from kwok import Kwok
from load import policy
from webhook import Webhook, free_port, install, make, refused_once, wait_for

from benchmarks.admission import processes
from casemate.engine import lifecycle
from casemate.engine.paths import EnginePaths

Object = dict[str, Any]
ENGINE = "kwok-nodes"
UNSERVED = "ghost"
QUIET_SECONDS = 60.0
PODS_PATH = "/api/v1/namespaces/{}/pods"


def nodes(count: int) -> list[Object]:
    """Half with gVisor, of which every hundredth says so by its label alone; a tenth with Kata; and this machine."""
    made = [kwok.node(platform.node(), "runc", sandbox="none")]
    for number in range(count - 1):
        sandbox = "gvisor" if number % 2 else "kata" if number % 10 == 0 else "none"
        handlers = {"gvisor": ("runc", "runsc"), "kata": ("runc", "kata-qemu"), "none": ("runc", "crun")}[sandbox]
        lies = sandbox == "gvisor" and number % 100 == 1
        made.append(kwok.node(f"node-{number:05}", *(handlers[:1] if lies else handlers), sandbox=sandbox))
    return made


def fill(cluster: Cluster, count: int) -> None:
    """The nodes and the classes; no node serves one of them, and no class names the handler crun."""
    began = time.monotonic()
    found = kwok.post_all(cluster, "/api/v1/nodes", nodes(count))
    assert {each.status for each in found} == {201}, next(each for each in found if each.status != 201)
    make(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    make(cluster, kwok.runtime_class("gvisor", "runsc", sandbox="gvisor"), kwok.runtime_class("plain", "runc"))
    make(cluster, kwok.runtime_class("kata", "kata-qemu", sandbox="kata"), kwok.runtime_class(UNSERVED, UNSERVED))
    print(f"{count} nodes made in {time.monotonic() - began:.0f} s", flush=True)


def burst(cluster: Cluster, count: int) -> None:
    """All Pods at once, and what came of them."""
    pods = [kwok.pod("team-a", f"web-{each}", "" if each % 10 else "plain") for each in range(count)]
    began = time.monotonic()
    found = kwok.post_all(cluster, PODS_PATH, pods)
    seconds = time.monotonic() - began
    unanswered = [each for each in found if each.status >= 500]
    found = [each for each in found if each.status < 500]
    again = kwok.post_all(cluster, PODS_PATH, (each.asked for each in unanswered))
    outcomes = Counter(
        (each.asked["spec"].get("runtimeClassName"), each.status, _given(each)) for each in found + again
    )
    refused, admitted = ("plain", 403, None), (None, 201, "gvisor")
    assert set(outcomes) == {refused, admitted}, outcomes
    if unanswered:
        print(f"{len(unanswered)} had to be repeated: {unanswered[0].answer.get('message')}", flush=True)
    times = sorted(each.seconds for each in found)
    print(
        f"{count} Pods in {seconds:.1f} s ({count / seconds:.0f}/s): {outcomes[admitted]} admitted as gvisor, "
        f"{outcomes[refused]} refused, none otherwise; p50 {times[len(times) // 2] * 1000:.0f} ms, "
        f"p99 {times[len(times) * 99 // 100] * 1000:.0f} ms",
        flush=True,
    )
    began = time.monotonic()
    kwok.wait_running(cluster, outcomes[admitted], 1200)
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in kwok.listed(cluster, "/api/v1/nodes")}
    used = {each["spec"]["nodeName"] for each in kwok.listed(cluster, "/api/v1/pods")}
    assert {labels[each]["sandbox"] for each in used} == {"gvisor"}
    print(f"all run {time.monotonic() - began:.0f} s later, on {len(used)} nodes, each of the class", flush=True)


def _given(made: kwok.Made) -> str | None:
    """The class that it got."""
    spec = made.answer.get("spec", {})
    return str(spec["runtimeClassName"]) if "runtimeClassName" in spec else None


def metric(webhook: Webhook, name: str) -> float:
    text = httpx.get(f"http://127.0.0.1:{webhook.health}/metrics", trust_env=False).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def quiet(cluster: Cluster, webhook: Webhook) -> None:
    """Nothing but heartbeats."""
    assert webhook.process
    pid = webhook.process.pid

    def versions() -> dict[str, str]:
        listed = kwok.listed(cluster, "/api/v1/nodes")
        return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in listed}

    before, revision, used = versions(), metric(webhook, "casemate_policy_revision"), processes.processor_seconds(pid)
    time.sleep(QUIET_SECONDS)
    after = versions()
    beats = sum(after[each] != before[each] for each in before)
    anew = metric(webhook, "casemate_policy_revision") - revision
    spent = processes.processor_seconds(pid) - used
    print(
        f"{beats} of {len(before)} nodes changed within {QUIET_SECONDS:g} s by their heartbeats alone: rules made anew "
        f"{anew:g} times, {spent / QUIET_SECONDS:.1%} of a core",
        flush=True,
    )
    assert anew == 0


def measured(what: str, *command: str, codes: tuple[int, ...] = (0, 1)) -> str:
    """Run casemate; its time and peak memory, as the kernel keeps it for the program alone."""
    began, peak = time.monotonic(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(Path(sys.executable).with_name("casemate")), *command], stdout=output)
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(0.05)
        output.seek(0)
        text = output.read().decode()
    assert process.returncode in codes, (process.returncode, text[-2000:])
    print(f"{what}: {time.monotonic() - began:.1f} s, {peak >> 10} MiB at most", flush=True)
    return text


def _peak(pid: int) -> int:
    """In KiB; 0 for a process that has just ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(each.split()[1]) for each in lines if each.startswith("VmHWM:")), 0)


def assess(cluster: Cluster) -> None:
    """What it says of classes and nodes, and what that takes."""
    haunted = {"selector": {"matchLabels": {"app": "h"}}, "template": kwok.pod("default", "h", UNSERVED)}
    shop = {"selector": {"matchLabels": {"app": "s"}}, "template": kwok.pod("default", "s", "gvisor")}
    for name, spec in (("haunted", haunted), ("shop", shop)):
        meta = {"name": name, "namespace": "default"}
        make(cluster, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})
    kubeconfig = cluster.kubeconfig("admin")
    items = json.loads(measured("assess", "assess", "--kubeconfig", kubeconfig, "-o", "json"))["items"]
    said = {each["workload"]["name"]: json.dumps(each["has"]) for each in items}
    for name in ("haunted", "shop"):
        found = re.search(r'"text": "([^"]*(?:no|of \d+) node[^"]*)"', said[name])
        assert found, said[name]
        print(f"  {name}: {found[1]}")
    print(f"  {len(items)} workloads", flush=True)


def doctor(cluster: Cluster, engine: EnginePaths) -> None:
    """What one of the nodes, this machine, makes of the cluster's classes."""
    command = ("node", "doctor", "--socket", str(engine.socket), "--kubeconfig", cluster.kubeconfig("admin"))
    found = json.loads(measured("node doctor", *command, "-o", "json", codes=(0, 1, 4)))
    for each in found["items"]:
        for text in each["evidence"]:
            if "RuntimeClass" in text:
                print(f"  {each['id']}: {text}", flush=True)


def audited(webhook: Webhook, seconds: float = 300.0) -> None:
    """The last audit, as its log tells."""

    def last() -> Object:
        lines = [json.loads(each) for each in webhook.log().splitlines() if '"event": "audited"' in each]
        return lines[-1] if lines else {}

    before = webhook.log().count('"event": "audited"')
    wait_for(lambda: webhook.log().count('"event": "audited"') > before, "an audit", seconds)
    print(f"audit: {last()['objects']} objects in {last()['seconds']} s, {last()['found']} results", flush=True)


def in_cluster(cluster: Cluster, folder: Path, body: Callable[[Webhook], None]) -> None:
    """The webhook, with its policy in force."""
    arguments = ("--audit-every=20", "--probe-every=3600")
    webhook = Webhook(cluster, folder, free_port(), arguments)
    install(cluster, webhook.port)
    make(cluster, policy("gvisor"))
    webhook.start()
    try:
        webhook.wait_ready()
        wait_for(lambda: refused_once(cluster, kwok.pod("team-a", "p", "plain")), "the policy to be in force")
        body(webhook)
    finally:
        webhook.stop()


def main() -> None:
    count, pods = (int(each) for each in (*sys.argv[1:], *("1000", "5000")[len(sys.argv) - 1 :]))
    kubernetes.build()
    kwok.build()
    engine = EnginePaths(ENGINE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "cluster")
        folder.mkdir()
        with Running(folder, *kwok.FLAGS) as cluster:
            fill(cluster, count)
            with Kwok(cluster):

                def all_of_it(webhook: Webhook) -> None:
                    assert webhook.process
                    burst(cluster, pods)
                    audited(webhook)
                    quiet(cluster, webhook)
                    print(f"webhook: {processes.mebibytes(webhook.process.pid):.0f} MiB, all its processes", flush=True)
                    assess(cluster)

                in_cluster(cluster, Path(name, "webhook"), all_of_it)
                lifecycle.start(engine)
                try:
                    doctor(cluster, engine)
                finally:
                    lifecycle.stop(engine)


if __name__ == "__main__":
    main()
