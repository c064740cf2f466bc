"""What the leading replica does for all, against a real API server: probes, statuses, audit and reports."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import kubernetes
import pytest
from apiserver import Cluster
from load import pod, policy, runtime_classes
from webhook import NAMESPACE, Restartable, Webhook, free_port, install, make, path, post, refused_once, wait_for

Object = dict[str, Any]

_REPORTS: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "policyreports.wgpolicyk8s.io",
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/wg-policy-prototypes"},
    },
    "spec": {
        "group": "wgpolicyk8s.io",
        "scope": "Namespaced",
        "names": {"kind": "PolicyReport", "plural": "policyreports", "singular": "policyreport"},
        "versions": [
            {
                "name": "v1alpha2",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubernetes.build()
    with Restartable(tmp_path_factory.mktemp("admission")) as found:
        yield found


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """A replica beside Pods that were there before it."""
    make(cluster, _REPORTS, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    make(cluster, *runtime_classes())
    make(cluster, *(named(f"before-{number}", "plain") for number in range(20)), named("unset", ""), mirror())
    arguments = ("--probe-every=2", "--audit-every=3600")
    found = Webhook(cluster, tmp_path_factory.mktemp("webhook"), free_port(), arguments)
    install(cluster, found.port)
    make(cluster, policy("gvisor"))
    found.start()
    found.wait_ready()
    yield found
    assert found.stop() == 0, found.log()


def named(name: str, runtime_class: str) -> Object:
    body = pod(runtime_class)
    return body | {"metadata": {"name": name, "namespace": "team-a"}}


def mirror() -> Object:
    """The mirror of a static Pod."""
    body = named("static-one", "plain")
    body["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "b5f4a4e6"}
    return body | {"spec": body["spec"] | {"nodeName": "one"}}


def condition(cluster: Cluster, body: Object, kind: str) -> Object:
    with cluster.client() as client:
        status = client.get(path(body)).json().get("status", {})
    return next((each for each in status.get("conditions", ()) if each["type"] == kind), {})


def metrics(webhook: Webhook) -> str:
    return httpx.get(f"http://127.0.0.1:{webhook.health}/metrics", trust_env=False).text


def report(cluster: Cluster) -> Object:
    with cluster.client() as client:
        answer = client.get("/apis/wgpolicyk8s.io/v1alpha2/namespaces/team-a/policyreports/casemate-isolation")
    return answer.json() if answer.is_success else {}


def result(cluster: Cluster, rule: str) -> Object:
    return next((each for each in report(cluster).get("results", ()) if each["rule"] == rule), {})


def test_a_policy_says_that_it_is_applied_and_bites(cluster: Cluster, webhook: Webhook) -> None:
    wait_for(lambda: condition(cluster, policy("gvisor"), "Bites").get("status") == "True", webhook.log())
    assert condition(cluster, policy("gvisor"), "Accepted")["status"] == "True"
    text = metrics(webhook)
    assert 'casemate_policy_bites{policy="tenants",rule="class-not-permitted"} 1.0' in text
    assert 'casemate_policy_bites{policy="tenants",rule="class-unknown"} 1.0' in text
    assert "casemate_leader 1.0" in text


def test_nothing_is_left_of_a_probe(cluster: Cluster, webhook: Webhook) -> None:
    wait_for(lambda: "casemate_policy_bites{" in metrics(webhook), "a probe")
    with cluster.client() as client:
        assert not client.get("/api/v1/podtemplates").json()["items"]


def test_what_ran_before_is_reported_once_per_rule_with_static_pods(cluster: Cluster, webhook: Webhook) -> None:
    wait_for(lambda: result(cluster, "class-not-permitted"), webhook.log())
    found = result(cluster, "class-not-permitted")
    assert (found["properties"]["objects"], len(found["resources"])) == ("21", 10)
    assert found["result"] == "fail"
    assert result(cluster, "default-set")["properties"]["objects"] == "1"
    with cluster.client() as client:
        reports = client.get("/apis/wgpolicyk8s.io/v1alpha2/policyreports").json()["items"]
    assert len(reports) == 1


def test_an_exception_that_ends_is_audited_at_once(cluster: Cluster, webhook: Webhook) -> None:
    wait_for(lambda: result(cluster, "class-not-permitted"), "the first report")
    ends = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=8)
    exception = {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "IsolationException",
        "metadata": {"name": "legacy"},
        "spec": {
            "reason": "being moved",
            "owner": "team-a",
            "expires": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "policies": ["tenants"],
            "rules": ["class-not-permitted"],
            "scope": {"namespaces": {"names": ["team-a"]}},
            "permitted": ["plain"],
        },
    }
    answer = post(cluster, exception)
    assert answer.status_code == 201, answer.text
    wait_for(lambda: not result(cluster, "class-not-permitted"), "the exception to count")
    assert post(cluster, pod("plain"), dry_run=True).status_code == 201
    wait_for(lambda: result(cluster, "class-not-permitted"), "its end to be noticed", 15)
    assert datetime.datetime.now(datetime.UTC) >= ends
    assert refused_once(cluster, pod("plain"))


@contextmanager
def off(cluster: Cluster) -> Iterator[None]:
    """Without what makes API servers ask whether something is allowed."""
    configuration = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/casemate-admission"
    with cluster.client() as client:
        kept = client.get(configuration).json()
        client.delete(configuration)
        yield
        kept["metadata"] = {"name": kept["metadata"]["name"]}
        assert client.post(configuration.rpartition("/")[0], json=kept).is_success


def test_a_configuration_that_is_gone_is_a_gap(cluster: Cluster, webhook: Webhook) -> None:
    watching = policy("gvisor")
    watching["metadata"]["name"], watching["spec"]["mode"] = "watching", "audit"
    with off(cluster):
        make(cluster, watching)
        wait_for(lambda: "casemate_webhook_gaps 1.0" in metrics(webhook), "an audit to find it")
    with cluster.client() as client:
        client.delete(path(watching))
    wait_for(lambda: "casemate_webhook_gaps 0.0" in metrics(webhook), "an audit to find nothing")


def test_a_probe_that_is_let_through_is_told_and_makes_the_replica_unready(cluster: Cluster, webhook: Webhook) -> None:
    wait_for(lambda: "casemate_policy_bites{" in metrics(webhook), "a probe")
    with off(cluster):
        said = "let through what must be denied: tenants"
        wait_for(lambda: said in webhook.health_of("/readyz"), "the replica to be unready")
        assert condition(cluster, policy("gvisor"), "Bites")["status"] == "False"
    webhook.wait_ready()
    wait_for(lambda: condition(cluster, policy("gvisor"), "Bites")["status"] == "True", "its status")


def test_an_unreadable_policy_denies_until_it_is_gone(cluster: Cluster, webhook: Webhook) -> None:
    """Written while the webhook was off: the schema alone does not see what is wrong with it."""
    broken = policy("gvisor")
    broken["metadata"]["name"] = "broken"
    broken["spec"]["permitted"] = [7]
    with off(cluster):
        make(cluster, broken)
    with cluster.client() as client:
        wait_for(lambda: "malformed" in post(cluster, pod(), dry_run=True).text, webhook.log()[-2000:])
        wait_for(lambda: condition(cluster, broken, "Accepted").get("status") == "False", "its status")
        assert post(cluster, in_namespace("kube-system"), dry_run=True).status_code == 201
        assert client.delete(path(broken)).is_success
    wait_for(lambda: post(cluster, pod(), dry_run=True).status_code == 201, "the policy to be gone")


def test_a_policy_of_thousands_of_levels_stops_nothing(cluster: Cluster, webhook: Webhook) -> None:
    levels = 8_000
    body = json.dumps(policy("gvisor") | {"metadata": {"name": "deep"}})
    body = body.replace('["gvisor"]', "[" * levels + '"gvisor"' + "]" * levels)
    with cluster.client() as client:
        kind = {"Content-Type": "application/json"}
        answer = client.post("/apis/casemate.dev/v1alpha1/isolationpolicies", content=body, headers=kind)
        try:
            assert answer.status_code != 201, "the webhook refuses it"
            assert refused_once(cluster, pod("plain"))
        finally:
            client.delete("/apis/casemate.dev/v1alpha1/isolationpolicies/deep")
    webhook.wait_ready()


def in_namespace(name: str) -> Object:
    body = pod()
    return body | {"metadata": {"name": "p", "namespace": name}}


def test_custom_resources_that_nobody_asks_about_are_counted(cluster: Cluster, webhook: Webhook) -> None:
    wait_for(lambda: "casemate_audit_seconds" in metrics(webhook), "an audit")
    assert "casemate_unasked_kinds 0.0" in metrics(webhook)


def test_the_material_is_a_secret_of_its_own_namespace(cluster: Cluster, webhook: Webhook) -> None:
    with cluster.client() as client:
        found = client.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/casemate-admission-certificates").json()
    assert set(found["data"]) == {"material", "ca.crt"}
