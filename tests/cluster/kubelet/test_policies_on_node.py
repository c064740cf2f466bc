"""Isolation policies, enforced natively and by the webhook: what reaches the node, and under which handler."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from kubelet_pods import Object, await_ready, casemate, pod, pods, read, ready_sandboxes, remove, start, until
from native import PATHS
from node import Node
from webhook import Webhook, free_port, install, make, post, uninstall, wait_for

pytestmark = pytest.mark.root

ALICE = {"user": "alice", "groups": "tenants,system:authenticated"}
RIGHTS: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "tenants"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "Group", "name": "tenants", "apiGroup": "rbac.authorization.k8s.io"}],
}
# A class whose name promises gVisor, and whose handler is runc.
LIAR: Object = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "runsc"},
    "handler": "runc",
}


@dataclass(frozen=True)
class Enforced:
    """A namespace in which the policy is enforced."""

    node: Node
    namespace: str

    def pod(self, name: str, class_name: str | None = None) -> Object:
        return pod(name, class_name, self.namespace)

    def refusal(self, body: Object, *, dry_run: bool = False) -> str:
        """What alice is told when she makes it; empty when she may."""
        answer = post(self.node.cluster, body, dry_run=dry_run, **ALICE)
        return "" if answer.is_success else str(answer.json()["message"])


@pytest.fixture(scope="module", params=["native", "webhook"])
def enforced(
    request: pytest.FixtureRequest, node: Node, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Enforced]:
    """The same policy, enforced in either way."""
    way, folder = str(request.param), tmp_path_factory.mktemp(str(request.param))
    namespace = f"team-{way}"
    meta = {"name": namespace, "labels": {"tenancy": way}}
    make(node.cluster, RIGHTS, LIAR, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    found = Enforced(node, namespace)
    with _WAYS[way](node, folder):
        wait_for(lambda: _in_force(found), "the policy to be in force")
        yield found
        remove(node, f"/api/v1/namespaces/{namespace}")


def _in_force(found: Enforced) -> bool:
    """Whether it refuses and sets the default, which an API server loads at times of their own."""
    denied = post(found.node.cluster, found.pod("probe", "runc"), dry_run=True, **ALICE)
    return not denied.is_success and not found.refusal(found.pod("probe"), dry_run=True)


def policy(way: str) -> Object:
    spec = {
        "match": {"namespaces": {"labels": {"tenancy": way}}},
        "default": "gvisor",
        "permitted": ["gvisor", {"boundary": ">=vm"}],
    }
    return {"apiVersion": "casemate.dev/v1alpha1", "kind": "IsolationPolicy", "metadata": {"name": way}, "spec": spec}


@contextmanager
def _natively(node: Node, folder: Path) -> Iterator[None]:
    classes = read(node, "/apis/node.k8s.io/v1/runtimeclasses")["items"]
    kind = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump_all([policy("native"), *(kind | each for each in classes)]))
    objects = json.loads(casemate("policy", "compile", "--policy", str(file), "--to", "native", "-o", "json"))["items"]
    for each in objects:
        node.cluster.apply(f"/{PATHS[each['kind']]}", each)
    yield
    for each in objects:
        remove(node, f"/{PATHS[each['kind']]}/{each['metadata']['name']}")


@contextmanager
def _by_webhook(node: Node, folder: Path) -> Iterator[None]:
    webhook = Webhook(node.cluster, folder, free_port())
    install(node.cluster, webhook.port)
    webhook.start()
    try:
        webhook.wait_ready()
        make(node.cluster, policy("webhook"))
        yield
    finally:
        uninstall(node.cluster)
        webhook.stop()


_WAYS: dict[str, Callable[[Node, Path], AbstractContextManager[None]]] = {"native": _natively, "webhook": _by_webhook}


def test_an_unset_pod_runs_under_the_default(enforced: Enforced) -> None:
    body = enforced.pod("unset")
    assert enforced.refusal(body) == ""
    await_ready(enforced.node, "unset", enforced.namespace)
    assert read(enforced.node, f"{pods(enforced.namespace)}/unset")["spec"]["runtimeClassName"] == "gvisor"
    assert ready_sandboxes(enforced.node)["unset"] == "runsc"


def test_the_pods_of_a_deployment_run_under_the_default(enforced: Enforced) -> None:
    labels = {"app": "many"}
    template = {"metadata": {"labels": labels}, "spec": enforced.pod("many")["spec"]}
    del template["spec"]["terminationGracePeriodSeconds"]
    meta = {"name": "many", "namespace": enforced.namespace}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    assert enforced.refusal(deployment) == ""
    until(lambda: len(_of(enforced, "many-")) == 2, lambda: str(ready_sandboxes(enforced.node)))
    assert set(_of(enforced, "many-")) == {"runsc"}


def _of(enforced: Enforced, prefix: str) -> list[str]:
    return [handler for name, handler in ready_sandboxes(enforced.node).items() if name.startswith(prefix)]


@pytest.mark.parametrize("class_name", ["runc", "crun", "runsc"])
def test_a_denied_pod_never_appears_on_the_node(enforced: Enforced, class_name: str) -> None:
    """`runsc` is a class whose name promises gVisor, and whose handler is runc."""
    name = f"denied-{class_name}"
    assert "class-not-permitted" in enforced.refusal(enforced.pod(name, class_name))
    time.sleep(1)
    assert not read(enforced.node, f"{pods(enforced.namespace)}/{name}")
    assert name not in ready_sandboxes(enforced.node)


def test_a_pod_elsewhere_is_left_alone(enforced: Enforced) -> None:
    body = pod(f"elsewhere-{enforced.namespace}")
    start(enforced.node, body)
    assert ready_sandboxes(enforced.node)[body["metadata"]["name"]] in ("runc", "")
