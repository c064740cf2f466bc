"""Reports of the audit and of assess, held against the definitions that PolicyReport and OpenReports publish."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import report_apis
from apiserver import Cluster
from load import policy, runtime_classes
from webhook import Restartable, Webhook, free_port, install, make, post, wait_for

Object = dict[str, Any]

COLLECTIONS = {
    "PolicyReport": "/apis/wgpolicyk8s.io/v1alpha2/{}policyreports",
    "Report": "/apis/openreports.io/v1alpha1/{}reports",
}
FEW, MANY = 12, 150


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubernetes.build()
    with Restartable(tmp_path_factory.mktemp("reports")) as found:
        make(found, *report_apis.definitions())
        wait_for(lambda: all(served(found, kind) for kind in COLLECTIONS), "the definitions to be served")
        yield found


def served(cluster: Cluster, kind: str) -> bool:
    with cluster.client() as client:
        return client.get(COLLECTIONS[kind].format("")).is_success


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """A replica that audits every second what was there before it; a namespace among it is being deleted."""
    names = ("a-leaving", "empty", "many", "few")
    make(cluster, *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}} for each in names))
    make(cluster, *runtime_classes(), pod("a-leaving", 0))
    make(cluster, *(pod("few", number) for number in range(FEW)), *(pod("many", number) for number in range(MANY)))
    make(cluster, pod("few", FEW, ""), pod("many", MANY, ""))
    with cluster.client() as client:
        assert client.delete("/api/v1/namespaces/a-leaving").is_success
    found = Webhook(cluster, tmp_path_factory.mktemp("webhook"), free_port(), ("--audit-every=1", "--probe-every=3600"))
    install(cluster, found.port)
    tenants = policy("gvisor")
    tenants["spec"] |= {"match": {}, "hardening": {"below": "vm", "require": ["no-new-privileges"]}}
    warned = policy("kata") | {"metadata": {"name": "softly"}}
    warned["spec"] = {"permitted": ["kata"], "mode": "warn"}
    make(cluster, tenants, warned)
    found.start()
    found.wait_ready()
    yield found
    assert found.stop() == 0, found.log()


def pod(namespace: str, number: int, runtime_class: str = "plain") -> Object:
    spec: Object = {"containers": [{"name": "main", "image": "registry.test/web:1"}]}
    spec |= {"runtimeClassName": runtime_class} if runtime_class else {}
    meta = {"name": f"pod-{number:04}", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def reports(cluster: Cluster, kind: str) -> dict[str, Object]:
    """Those of the audit, by namespace."""
    with cluster.client() as client:
        items = client.get(COLLECTIONS[kind].format("")).json()["items"]
    return {each["metadata"]["namespace"]: each for each in items if each["metadata"]["name"] == "casemate-isolation"}


def wait_report(cluster: Cluster, webhook: Webhook, kind: str, namespace: str) -> Object:
    wait_for(lambda: namespace in reports(cluster, kind), f"a report\n{webhook.log()[-3000:]}")
    return reports(cluster, kind)[namespace]


def put_strictly(cluster: Cluster, body: Object, *, method: str) -> str:
    """What the API server has against it, where no field may be unknown; nothing is written."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    path = COLLECTIONS[body["kind"]].format(f"namespaces/{namespace}/")
    with cluster.client() as client:
        answer = client.request(
            method,
            path if method == "POST" else f"{path}/{name}",
            json=body,
            params={"dryRun": "All", "fieldValidation": "Strict"},
        )
    return "" if answer.is_success else answer.text


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_a_report_is_what_its_definition_has(cluster: Cluster, webhook: Webhook, kind: str) -> None:
    found = wait_report(cluster, webhook, kind, "many")
    assert not put_strictly(cluster, found, method="PUT")
    results = {(each["policy"], each["rule"]): each for each in found["results"]}
    refused, warned = results["tenants", "class-not-permitted"], results["softly", "class-not-permitted"]
    assert (refused["result"], refused["severity"], refused["properties"]["objects"]) == ("fail", "high", str(MANY))
    assert (warned["result"], warned["severity"]) == ("warn", "medium")
    assert found["summary"]["fail"] == sum(each["result"] == "fail" for each in found["results"]) > 1


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_what_the_definition_does_not_have_would_be_seen(cluster: Cluster, webhook: Webhook, kind: str) -> None:
    """The definitions are strict: this is what a test against a lenient one would have missed."""
    found = wait_report(cluster, webhook, kind, "few")
    wrong = found | {"results": [found["results"][0] | {"workloads": 1}]}
    assert "workloads" in put_strictly(cluster, wrong, method="PUT")
    wrong = found | {"results": [found["results"][0] | {"result": "denied"}]}
    assert "denied" in put_strictly(cluster, wrong, method="PUT")


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_a_report_does_not_grow_with_the_pods(cluster: Cluster, webhook: Webhook, kind: str) -> None:
    few, many = (wait_report(cluster, webhook, kind, namespace) for namespace in ("few", "many"))
    assert len(few["results"]) == len(many["results"])
    assert all(len(each["resources"]) <= 10 for each in many["results"])
    sizes = [len(json.dumps(each["results"])) for each in (few, many)]
    assert sizes[1] < sizes[0] * 1.1, sizes


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_there_is_one_for_each_namespace_with_workloads_whatever_becomes_of_others(
    cluster: Cluster, webhook: Webhook, kind: str
) -> None:
    """The API server takes nothing new in a namespace that is being deleted, which comes first here."""
    wait_report(cluster, webhook, kind, "many")
    assert set(reports(cluster, kind)) == {"few", "many"}
    assert "report not written" in webhook.log()


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_a_report_that_somebody_deletes_comes_back(cluster: Cluster, webhook: Webhook, kind: str) -> None:
    first = wait_report(cluster, webhook, kind, "few")
    path = COLLECTIONS[kind].format("namespaces/few/")
    with cluster.client() as client:
        assert client.delete(f"{path}/casemate-isolation").is_success
    wait_for(lambda: "few" in reports(cluster, kind), "the report")
    assert reports(cluster, kind)["few"]["metadata"]["uid"] != first["metadata"]["uid"]


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_a_namespace_whose_workloads_are_gone_has_none(cluster: Cluster, webhook: Webhook, kind: str) -> None:
    name = kind.lower()
    make(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t", "namespace": name}}
    answer = post(cluster, template | {"template": {"spec": pod(name, 0, "gvisor")["spec"]}})
    assert answer.status_code == 403, "hardening is asked for"
    spec = pod(name, 0, "gvisor")["spec"]
    spec["containers"][0]["securityContext"] = {"allowPrivilegeEscalation": False}
    make(cluster, template | {"template": {"spec": spec}})
    wait_report(cluster, webhook, kind, name)
    with cluster.client() as client:
        assert client.delete(f"/api/v1/namespaces/{name}/podtemplates/t").is_success
    wait_for(lambda: name not in reports(cluster, kind), "the report to be gone")


@pytest.mark.parametrize(("output", "kind"), [("policyreport", "PolicyReport"), ("openreports", "Report")])
def test_what_assess_reports_is_what_its_definition_has(
    cluster: Cluster, tmp_path: Path, output: str, kind: str
) -> None:
    file = tmp_path / "pods.json"
    file.write_text("\n---\n".join(json.dumps(pod("few", number)) for number in range(3)))
    command = [str(Path(sys.executable).with_name("casemate")), "assess", str(file), "-o", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    items = json.loads(done.stdout)["items"]
    assert [each["kind"] for each in items] == [kind]
    for each in items:
        assert not put_strictly(cluster, each, method="POST")
