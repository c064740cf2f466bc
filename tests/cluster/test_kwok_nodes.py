"""A hundred nodes and some hundred Pods that seem to run: what casemate makes of them, and is not disturbed by.

`python benchmarks/nodes.py` does it with a thousand nodes and thousands of Pods.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes
import kwok
import pytest
from apiserver import Cluster, Running
from kwok import Kwok
from load import policy
from webhook import Webhook, free_port, install, make, post, refused_once, wait_for

# The first run on a machine builds kwok, which takes minutes.
pytestmark = pytest.mark.timeout(1200)

Object = dict[str, Any]
NODES, PODS = 100, 200
LABELLED_ALONE = ("node-000", "node-003")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A third of the nodes has gVisor, and two of these say so by their label alone."""
    kubernetes.build()
    with Running(tmp_path_factory.mktemp("kwok"), *kwok.FLAGS) as found:
        nodes = [
            kwok.node(f"node-{each:03}", *_handlers(each), sandbox="gvisor" if each % 3 == 0 else "none")
            for each in range(NODES)
        ]
        assert {each.status for each in kwok.post_all(found, "/api/v1/nodes", nodes)} == {201}
        make(found, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
        make(found, kwok.runtime_class("gvisor", "runsc", sandbox="gvisor"), kwok.runtime_class("plain", "runc"))
        make(found, kwok.runtime_class("ghost", "ghost"))
        with Kwok(found):
            yield found


def _handlers(number: int) -> tuple[str, ...]:
    return ("runc", "runsc") if number % 3 == 0 and f"node-{number:03}" not in LABELLED_ALONE else ("runc",)


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    arguments = ("--audit-every=3600", "--probe-every=3600")
    found = Webhook(cluster, tmp_path_factory.mktemp("webhook"), free_port(), arguments)
    install(cluster, found.port)
    make(cluster, policy("gvisor"))
    found.start()
    found.wait_ready()
    wait_for(lambda: refused_once(cluster, kwok.pod("team-a", "p", "plain")), "the policy to be in force")
    yield found
    assert found.stop() == 0, found.log()


@pytest.fixture(scope="module")
def burst(cluster: Cluster, webhook: Webhook) -> list[kwok.Made]:
    """Pods that come all at once: every fifth with a class that is not permitted."""
    pods = (kwok.pod("team-a", f"web-{each}", "" if each % 5 else "plain") for each in range(PODS))
    return kwok.post_all(cluster, "/api/v1/namespaces/{}/pods", pods)


def test_of_a_burst_each_pod_gets_its_class_or_is_refused(cluster: Cluster, burst: list[kwok.Made]) -> None:
    refused = [each for each in burst if each.asked["spec"].get("runtimeClassName")]
    admitted = [each for each in burst if not each.asked["spec"].get("runtimeClassName")]
    assert {each.status for each in refused} == {403}
    assert {each.status for each in admitted} == {201}
    assert {each.answer["spec"]["runtimeClassName"] for each in admitted} == {"gvisor"}


@pytest.fixture(scope="module")
def bound(cluster: Cluster, burst: list[kwok.Made]) -> list[Object]:
    """The Pods of the burst, once they seem to run."""
    kwok.wait_running(cluster, PODS * 4 // 5)
    return kwok.listed(cluster, "/api/v1/namespaces/team-a/pods")


def test_pods_run_where_their_class_sends_them(cluster: Cluster, bound: list[Object]) -> None:
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in kwok.listed(cluster, "/api/v1/nodes")}
    nodes = {each["spec"]["nodeName"] for each in bound}
    assert {labels[each]["sandbox"] for each in nodes} == {"gvisor"}


def test_assess_says_which_classes_no_node_serves_and_which_some_do_not(cluster: Cluster, bound: list[Object]) -> None:
    make(cluster, kwok.pod("default", "haunted", "ghost"), deployment("shop"))
    command = [str(Path(sys.executable).with_name("casemate")), "assess", "--kubeconfig"]
    done = subprocess.run(
        [*command, cluster.kubeconfig("admin"), "-o", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    items = {each["workload"]["name"]: each["has"] for each in json.loads(done.stdout)["items"]}
    assert len(items) == len(bound) + 2
    assert "no node that it can land on has handler ghost" in json.dumps(items["haunted"])
    assert "2 of 34 nodes that it can land on lack handler runsc" in json.dumps(items["shop"])
    for each in bound:
        has = items[each["metadata"]["name"]]
        assert (has["state"] == "resolved") is (each["spec"]["nodeName"] not in LABELLED_ALONE), has


def deployment(name: str) -> Object:
    spec = {"selector": {"matchLabels": {"app": name}}, "template": kwok.pod("team-a", name)}
    meta = {"name": name, "namespace": "team-a"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def test_heartbeats_of_nodes_are_no_new_rules_and_a_label_is(cluster: Cluster, webhook: Webhook) -> None:
    """All nodes beat, then one gets a label: that is one change. Changes of a kind come in their order."""
    nodes = [each["metadata"]["name"] for each in kwok.listed(cluster, "/api/v1/nodes")]
    before = revision(webhook)
    with cluster.client() as client:
        for number, name in enumerate(nodes):
            beat = {"conditions": [{"type": "MemoryPressure", "status": "False", "message": f"beat {number}"}]}
            patch(client, f"/api/v1/nodes/{name}/status", {"status": beat})
        patch(client, f"/api/v1/nodes/{nodes[0]}", {"metadata": {"labels": {"moved": "yes"}}})
    wait_for(lambda: revision(webhook) > before, "the label to count")
    assert revision(webhook) == before + 1


def patch(client: httpx.Client, path: str, body: Object) -> None:
    kind = {"Content-Type": "application/strategic-merge-patch+json"}
    answer = client.patch(path, content=json.dumps(body), headers=kind)
    assert answer.status_code == 200, answer.text


def revision(webhook: Webhook) -> int:
    text = httpx.get(f"http://127.0.0.1:{webhook.health}/metrics", trust_env=False).text
    found = re.search(r"^casemate_policy_revision (\S+)$", text, re.MULTILINE)
    assert found
    return int(float(found[1]))


def test_the_default_needs_a_node_that_serves_it(cluster: Cluster, webhook: Webhook) -> None:
    """`no-node`: nobody serves what the class ghost names."""
    haunted = policy("ghost") | {"metadata": {"name": "haunted"}}
    haunted["spec"] = {"match": {"namespaces": {"names": ["default"]}}, "default": "ghost", "permitted": ["ghost"]}
    make(cluster, haunted)
    wait_for(
        lambda: "no-node" in post(cluster, kwok.pod("default", "q", "ghost"), dry_run=True).text,
        "the policy to be in force",
    )
