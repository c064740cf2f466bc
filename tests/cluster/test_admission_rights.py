"""`rbac: use` in the webhook, beside a real API server: rights that come and go, and some that it may not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from apiserver import Cluster
from load import pod, policy, runtime_classes
from webhook import Restartable, Webhook, free_port, install, make, path, post, refused_once, wait_for

Object = dict[str, Any]

GROUP = "rbac.authorization.k8s.io"
READING = f"/apis/{GROUP}/v1/clusterroles/casemate-admission"
ROLE: Object = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "use-gvisor"},
    "rules": [
        {"apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"], "resourceNames": ["gvisor"], "verbs": ["use"]}
    ],
}
BINDING: Object = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "ci-uses-gvisor", "namespace": "team-a"},
    "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "use-gvisor"},
    "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": "team-a"}],
}
USING: Object = policy() | {"metadata": {"name": "using"}, "spec": {"rbac": "use"}}
LISTED: Object = policy("gvisor")
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubernetes.build()
    with Restartable(tmp_path_factory.mktemp("rights")) as found:
        make(found, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}, *runtime_classes())
        yield found


@pytest.fixture(scope="module")
def port(cluster: Cluster) -> int:
    found = free_port()
    install(cluster, found)
    make(cluster, ROLE, LISTED, USING)
    return found


@pytest.fixture
def webhook(cluster: Cluster, port: int, tmp_path: Path) -> Iterator[Webhook]:
    """Not started yet."""
    found = Webhook(cluster, tmp_path / "webhook", port)
    yield found
    assert found.stop() == 0, found.log()
    remove(cluster, BINDING)


def mine(runtime_class: str) -> Object:
    body = pod(runtime_class)
    return body | {
        "metadata": {"name": "mine", "namespace": "team-a"},
        "spec": body["spec"] | {"serviceAccountName": "ci"},
    }


def remove(cluster: Cluster, body: Object) -> None:
    with cluster.client() as client:
        client.delete(path(body))


def said(cluster: Cluster, runtime_class: str) -> str:
    return post(cluster, mine(runtime_class), dry_run=True).text


def test_a_right_counts_from_when_it_is_bound_until_it_is_taken_away(cluster: Cluster, webhook: Webhook) -> None:
    webhook.start()
    webhook.wait_ready()
    assert "service account team-a/ci has no right to use class gvisor" in said(cluster, "gvisor")
    make(cluster, BINDING)
    wait_for(lambda: not refused_once(cluster, mine("gvisor")), "the right to be seen")
    assert "(class-not-granted)" in said(cluster, "plain")
    remove(cluster, BINDING)
    wait_for(lambda: refused_once(cluster, mine("gvisor")), "the loss of the right to be seen")


def test_rights_that_cannot_be_read_refuse_what_asks_for_them_and_hold_up_nothing_else(
    cluster: Cluster, webhook: Webhook
) -> None:
    make(cluster, BINDING)
    with cluster.client() as client:
        role = client.get(READING).raise_for_status().json()
        blind = [each for each in role["rules"] if each["apiGroups"] != [GROUP]]
        client.patch(READING, json={"rules": blind}, headers=MERGE).raise_for_status()
        webhook.start()
        webhook.wait_ready()
        assert "whether service account team-a/ci may use class gvisor is not known" in said(cluster, "gvisor")
        assert "(class-not-permitted)" in said(cluster, "plain")
        client.patch(READING, json={"rules": role["rules"]}, headers=MERGE).raise_for_status()
    wait_for(lambda: not refused_once(cluster, mine("gvisor")), "rights to be read after all", 60)
