"""What a real API server, with the RuntimeClass plugin on, admits through the webhook, changes, and refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import kubernetes
import pytest
from apiserver import Cluster
from webhook import (
    NAMESPACE,
    Restartable,
    Webhook,
    as_user,
    collection,
    free_port,
    install,
    make,
    manifests,
    path,
    post,
    wait_for,
)

from casemate.admission import webhooks

Object = dict[str, Any]

TENANT = {"user": "alice", "groups": "tenants,system:authenticated"}


def namespace(name: str, **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def runtime_class(name: str, handler: str, **more: object) -> Object:
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": name},
        "handler": handler,
    } | more


def pod(name: str, namespace: str = "team-a", **spec: object) -> Object:
    body = {"containers": [{"name": "main", "image": "registry.test/web:1"}]} | spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": body}


def templated(kind: str, name: str, version: str = "apps/v1", **spec: object) -> Object:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name, **spec)["spec"]}
    selector = {"selector": {"matchLabels": {"app": name}}} if version == "apps/v1" else {}
    more = {"serviceName": name} if kind == "StatefulSet" else {}
    meta = {"name": name, "namespace": "team-a"}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": {**selector, **more, "template": template}}


def policy(name: str, **spec: object) -> Object:
    return {"apiVersion": "casemate.dev/v1alpha1", "kind": "IsolationPolicy", "metadata": {"name": name}, "spec": spec}


TENANTS = policy(
    "tenants",
    match={"namespaces": {"labels": {"tenancy": "shared"}}},
    default="gvisor",
    permitted=["gvisor", {"boundary": ">=vm"}],
)
TENANT_RIGHTS: list[Object] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "tenants"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "name": "tenants", "apiGroup": "rbac.authorization.k8s.io"}],
    }
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubernetes.build()
    with Restartable(tmp_path_factory.mktemp("admission")) as found:
        yield found


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    found = Webhook(cluster, tmp_path_factory.mktemp("webhook"), free_port())
    install(cluster, found.port)
    found.start()
    found.wait_ready()
    make(cluster, namespace("team-a", tenancy="shared"), namespace("free"), *TENANT_RIGHTS)
    overhead = {"overhead": {"podFixed": {"memory": "64Mi"}}, "scheduling": {"nodeSelector": {"sandbox": "gvisor"}}}
    make(cluster, runtime_class("gvisor", "runsc", **overhead), runtime_class("kata", "kata-qemu"))
    make(cluster, runtime_class("plain", "runc"), TENANTS)
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one", "labels": {"sandbox": "gvisor"}}}
    make(cluster, node)
    wait_for(lambda: refused(cluster, pod("probe", runtimeClassName="plain")), f"the policy\n{found.log()}")
    yield found
    code = found.stop()
    assert code == 0, found.log()


def refused(cluster: Cluster, body: Object, **who: str) -> str:
    """Why an object is refused, as a dry run; empty when it is not."""
    answer = post(cluster, body, dry_run=True, **who)
    return "" if answer.is_success else answer.json()["message"]


def test_an_unset_class_becomes_the_default_with_its_overhead_and_selector(cluster: Cluster, webhook: Webhook) -> None:
    answer = post(cluster, pod("unset"))
    assert answer.status_code == 201, answer.text
    spec = answer.json()["spec"]
    assert (spec["runtimeClassName"], spec["overhead"], spec["nodeSelector"]) == (
        "gvisor",
        {"memory": "64Mi"},
        {"sandbox": "gvisor"},
    )


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Deployment", "apps/v1"),
        ("StatefulSet", "apps/v1"),
        ("DaemonSet", "apps/v1"),
        ("ReplicaSet", "apps/v1"),
        ("ReplicationController", "v1"),
    ],
)
def test_every_kind_gets_the_default_and_is_refused_another(
    cluster: Cluster, webhook: Webhook, kind: str, version: str
) -> None:
    answer = post(cluster, templated(kind, "kinds", version), dry_run=True)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["template"]["spec"]["runtimeClassName"] == "gvisor"
    assert "tenants" in refused(cluster, templated(kind, "kinds", version, runtimeClassName="plain"))


def job(name: str, **spec: object) -> Object:
    body = templated("Job", name, "batch/v1", restartPolicy="Never", **spec)
    body["spec"]["template"]["metadata"] = {}
    return body


def test_jobs_and_cron_jobs_too(cluster: Cluster, webhook: Webhook) -> None:
    cron = {"schedule": "0 0 * * *", "jobTemplate": {"spec": job("nightly")["spec"]}}
    bodies = [job("once"), job("nightly") | {"kind": "CronJob", "spec": cron}]
    for body in bodies:
        answer = post(cluster, body, dry_run=True)
        assert answer.status_code == 201, answer.text
        assert '"runtimeClassName":"gvisor"' in answer.text
    assert "plain" in refused(cluster, job("once", runtimeClassName="plain"))


def test_a_pod_with_a_class_that_is_not_permitted_is_refused_with_policy_and_rule(
    cluster: Cluster, webhook: Webhook
) -> None:
    message = refused(cluster, pod("other", runtimeClassName="plain"))
    assert "policy tenants" in message
    assert "class-not-permitted" in message


def test_other_namespaces_are_left_alone(cluster: Cluster, webhook: Webhook) -> None:
    answer = post(cluster, pod("free", "free"), dry_run=True)
    assert answer.status_code == 201, answer.text
    assert "runtimeClassName" not in answer.json()["spec"]


def test_a_namespace_that_was_just_made_counts_at_once(cluster: Cluster, webhook: Webhook) -> None:
    for number in range(10):
        name = f"fresh-{number}"
        make(cluster, namespace(name, tenancy="shared"))
        assert "plain" in refused(cluster, pod("first", name, runtimeClassName="plain"))


def test_ephemeral_containers_are_judged(cluster: Cluster, webhook: Webhook) -> None:
    harden = policy(
        "hardened",
        match={"namespaces": {"names": ["team-a"]}},
        hardening={"below": "vm", "require": ["no-new-privileges"]},
    )
    make(cluster, harden)
    body = pod("debugged", containers=[container(escalates=False)])
    assert post(cluster, body).status_code == 201
    wait_for(lambda: refused(cluster, pod("p", containers=[container(escalates=True)])), "the policy on hardening")
    with cluster.client() as client:
        for escalates, code in ((True, 403), (False, 200)):
            debug = container(escalates=escalates) | {"name": "debug"}
            answer = client.patch(
                f"{path(body)}/ephemeralcontainers",
                content=json.dumps({"spec": {"ephemeralContainers": [debug]}}),
                headers={"Content-Type": "application/strategic-merge-patch+json"},
            )
            assert answer.status_code == code, answer.text
        client.delete(path(harden))


def container(*, escalates: bool) -> Object:
    security = {"securityContext": {"allowPrivilegeEscalation": escalates}}
    return {"name": "main", "image": "registry.test/web:1"} | security


@pytest.mark.parametrize("subresource", ["", "/status", "/finalize"])
def test_tenants_cannot_move_the_label_that_policies_choose_by(
    cluster: Cluster, webhook: Webhook, subresource: str
) -> None:
    with cluster.client() as client:
        found = client.get("/api/v1/namespaces/team-a").json()
        found["metadata"]["labels"]["tenancy"] = "none"
        answer = client.put(f"/api/v1/namespaces/team-a{subresource}", json=found, headers=as_user(**TENANT))
        assert answer.status_code == 403, answer.text
        assert "guardians" in answer.text
        assert client.get("/api/v1/namespaces/team-a").json()["metadata"]["labels"]["tenancy"] == "shared"


def test_tenants_make_no_namespace_with_that_label_and_move_no_class(cluster: Cluster, webhook: Webhook) -> None:
    assert "guardians" in refused(cluster, namespace("mine", tenancy="none"), **TENANT)
    assert not refused(cluster, namespace("mine"), **TENANT)
    assert "guardians" in refused(cluster, runtime_class("mine", "runc"), **TENANT)
    with cluster.client() as client:
        answer = client.delete("/apis/node.k8s.io/v1/runtimeclasses/gvisor", headers=as_user(**TENANT))
        assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"permited": ["gvisor"], "minimum": "vm"}, "permited"),
        ({"minimum": "wall"}, "minimum"),
        ({"permitted": [{"name": "gvisor", "boundary": "vm"}]}, "permitted"),
        ({"default": "gvisor", "upgrade": True, "permitted": [7]}, "permitted"),
    ],
)
def test_a_policy_that_says_nothing_or_something_unknown_is_refused(
    cluster: Cluster, webhook: Webhook, spec: Object, said: str
) -> None:
    with cluster.client() as client:
        body = policy("broken", **spec)
        answer = client.post(collection(body), json=body, params={"dryRun": "All", "fieldValidation": "Strict"})
    assert answer.status_code in (400, 403, 422), answer.text
    assert said in answer.text


def test_updates_that_leave_the_template_alone_pass_though_the_class_is_not_permitted(
    cluster: Cluster, webhook: Webhook
) -> None:
    body = templated("Deployment", "old", runtimeClassName="kata")
    make(cluster, body)
    strict = policy("strict", match={"namespaces": {"names": ["team-a"]}}, permitted=["gvisor"])
    make(cluster, strict)
    wait_for(lambda: refused(cluster, pod("p", runtimeClassName="kata")), "the policy")
    with cluster.client() as client:
        scaled = client.patch(path(body), content='{"spec":{"replicas":3}}', headers=MERGE)
        assert scaled.status_code == 200, scaled.text
        change = {"spec": {"template": {"spec": {"runtimeClassName": "plain"}}}}
        changed = client.patch(path(body), content=json.dumps(change), headers=MERGE)
        assert changed.status_code == 403, changed.text
        client.delete(path(strict))


def own_pod() -> Object:
    (deployment,) = (each for each in manifests("casemate") if each["kind"] == "Deployment")
    return pod("casemate", NAMESPACE) | {"spec": deployment["spec"]["template"]["spec"]}


MERGE = {"Content-Type": "application/merge-patch+json"}


def test_kube_system_s_node_critical_pods_come_up_while_casemate_is_down(cluster: Cluster, webhook: Webhook) -> None:
    """`system-node-critical` is a class of priority that the API server makes itself."""
    critical = pod("cni", "kube-system", priorityClassName="system-node-critical")
    webhook.stop()
    try:
        assert not refused(cluster, critical)
        assert not refused(cluster, own_pod())
        assert "failed calling webhook" in refused(cluster, pod("other", "kube-system"))
        assert "failed calling webhook" in refused(cluster, pod("web"))
    finally:
        webhook.start()
        webhook.wait_ready()
    assert not refused(cluster, critical)


def test_the_packaged_configurations_are_what_the_webhook_expects(cluster: Cluster, webhook: Webhook) -> None:
    with cluster.client() as client:
        for expected in manifests("webhooks"):
            found = client.get(path(expected)).json()
            assert not webhooks.gaps(expected, found)


def test_a_request_has_an_answer_within_milliseconds(cluster: Cluster, webhook: Webhook) -> None:
    with cluster.client() as client:
        times = []
        for _ in range(50):
            began = time.perf_counter()
            client.post(collection(pod("x")), json=pod("x"), params={"dryRun": "All"})
            times.append(time.perf_counter() - began)
    assert sorted(times)[25] < 0.25


def test_metrics_count_denials(cluster: Cluster, webhook: Webhook) -> None:
    assert refused(cluster, pod("other", runtimeClassName="plain"))
    text = httpx.get(f"http://127.0.0.1:{webhook.health}/metrics", trust_env=False).text
    assert 'casemate_admission_reasons_total{mode="enforce",policy="tenants",rule="class-not-permitted"}' in text
    assert "casemate_policies" in text
