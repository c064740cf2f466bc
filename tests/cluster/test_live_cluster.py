"""A live API server: what is collected, who is let in, and what is said about what could not be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver import Cluster

from casemate.errors import IncompleteError, InputError, MissingError, RefusedError
from casemate.model.workload import Workload
from casemate.sources import cluster as live
from casemate.sources import cluster_client
from casemate.sources.workloads import Collected

_RBAC = "rbac.authorization.k8s.io/v1"


def meta(name: str, namespace: str = "shop", **more: object) -> dict[str, object]:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def pod_spec(**more: object) -> dict[str, object]:
    return {"containers": [{"name": "main", "image": "registry.test/shop/web:1"}], **more}


def template(app: str, **more: object) -> dict[str, object]:
    return {"metadata": {"labels": {"app": app}}, "spec": pod_spec(**more)}


def deployment(name: str, **more: object) -> dict[str, object]:
    selector = {"matchLabels": {"app": name}}
    return {"metadata": meta(name), "spec": {"selector": selector, "template": template(name, **more)}}


def owned(kind: str, name: str, uid: str, version: str = "apps/v1") -> dict[str, object]:
    return {"ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}]}


_SANDBOX = {
    "metadata": {"name": "sandboxes.agents.test"},
    "spec": {
        "group": "agents.test",
        "scope": "Namespaced",
        "names": {"kind": "Sandbox", "plural": "sandboxes", "singular": "sandbox"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "podTemplate": {
                                        "type": "object",
                                        "x-kubernetes-preserve-unknown-fields": True,
                                        "properties": {
                                            "spec": {
                                                "type": "object",
                                                "properties": {
                                                    "containers": {
                                                        "type": "array",
                                                        "items": {
                                                            "type": "object",
                                                            "properties": {
                                                                "name": {"type": "string"},
                                                                "image": {"type": "string"},
                                                            },
                                                        },
                                                    }
                                                },
                                            }
                                        },
                                    }
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> Iterator[Cluster]:
    apps, core = "/apis/apps/v1/namespaces/shop", "/api/v1/namespaces/shop"
    cluster.apply("/api/v1/namespaces", {"metadata": {"name": "shop", "labels": {"tenancy": "shared"}}})
    cluster.apply("/apis/node.k8s.io/v1/runtimeclasses", {"metadata": {"name": "gvisor"}, "handler": "runsc"})
    cluster.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _SANDBOX)
    cluster.apply(f"{apps}/deployments", deployment("web", serviceAccountName="web"), deployment("quiet"))
    port = [{"port": 80}]
    cluster.apply(
        f"{core}/services",
        {"metadata": meta("web"), "spec": {"selector": {"app": "web"}, "ports": port}},
    )
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    cluster.apply(
        "/apis/networking.k8s.io/v1/namespaces/shop/ingresses",
        {"metadata": meta("web"), "spec": {"defaultBackend": backend}},
    )
    cluster.apply(
        "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies",
        {"metadata": meta("quiet"), "spec": {"podSelector": {"matchLabels": {"app": "quiet"}}}},
    )
    _grant(cluster)
    _controlled(cluster, apps, core)
    node = {
        "metadata": {"name": "one"},
        "status": {
            "nodeInfo": {"kernelVersion": "6.12.0", "containerRuntimeVersion": "containerd://2.1.0"},
            "runtimeHandlers": [
                {"name": "", "features": {"userNamespaces": True}},
                {"name": "runsc", "features": {"userNamespaces": False}},
            ],
        },
    }
    cluster.apply("/api/v1/nodes", node)
    return cluster


def _grant(cluster: Cluster) -> None:
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    cluster.apply(f"/apis/{_RBAC}/namespaces/shop/roles", {"metadata": meta("secrets"), "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "secrets"}
    cluster.apply(
        f"/apis/{_RBAC}/namespaces/shop/rolebindings",
        {"metadata": meta("secrets"), "roleRef": role, "subjects": [subject]},
    )
    read = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["list"]}]
    cluster.apply(f"/apis/{_RBAC}/clusterroles", {"metadata": meta("read-all", ""), "rules": read})
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}
    everything = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "read-all"}
    cluster.apply(
        f"/apis/{_RBAC}/clusterrolebindings",
        {"metadata": meta("read-all", ""), "roleRef": everything, "subjects": [user]},
    )


def _controlled(cluster: Cluster, apps: str, core: str) -> None:
    """What controllers would make of the Deployment `web`: a ReplicaSet, a Pod, and one that admission changed."""
    with cluster.client() as client:
        web = client.get(f"{apps}/deployments/web").json()["metadata"]["uid"]
        selector = {"matchLabels": {"app": "web"}}
        replica_set = {
            "metadata": meta("web-1", **owned("Deployment", "web", web)),
            "spec": {"selector": selector, "template": template("web", serviceAccountName="web")},
        }
        cluster.apply(f"{apps}/replicasets", replica_set)
        uid = client.get(f"{apps}/replicasets/web-1").json()["metadata"]["uid"]
        for name, runtime_class in (("web-1-a", None), ("web-1-b", "gvisor"), ("web-1-c", "gvisor")):
            spec = pod_spec(runtimeClassName=runtime_class) if runtime_class else pod_spec()
            cluster.apply(f"{core}/pods", {"metadata": meta(name, **owned("ReplicaSet", "web-1", uid)), "spec": spec})
        cluster.apply(f"{core}/pods", {"metadata": meta("lonely"), "spec": pod_spec(hostPID=True)})
        sandbox = {
            "apiVersion": "agents.test/v1alpha1",
            "kind": "Sandbox",
            "metadata": meta("agent"),
            "spec": {"podTemplate": {"metadata": {"labels": {"app": "agent"}}, "spec": pod_spec()}},
        }
        for _ in range(50):  # The definition takes a moment to be served.
            if client.post("/apis/agents.test/v1alpha1/namespaces/shop/sandboxes", json=sandbox).is_success:
                return
            time.sleep(0.2)
    raise AssertionError("the custom resource is not served")


def collected(kubeconfig: str, **options: object) -> list[Collected]:
    return list(live.collect(kubeconfig, **options))  # type: ignore[arg-type]


def by_title(pages: list[Collected]) -> dict[str, Workload]:
    return {each.title: each for page in pages for each in page.workloads}


def test_a_controller_stands_for_what_it_made(filled: Cluster) -> None:
    found = by_title(collected(filled.kubeconfig()))
    assert set(found) == {
        "Deployment shop/web",
        "Deployment shop/quiet",
        "Pod shop/web-1-b",
        "Pod shop/lonely",
        "Sandbox shop/agent",
    }


def test_a_pod_that_admission_gave_another_class_is_a_workload_of_its_own(filled: Cluster) -> None:
    changed = by_title(collected(filled.kubeconfig()))["Pod shop/web-1-b"]
    assert changed.spec.runtimeClassName == "gvisor"
    assert changed.owners == ("Deployment/web", "ReplicaSet/web-1")


def test_a_pod_with_a_container_more_or_other_rights_is_a_workload_of_its_own(
    cluster: Cluster, filled: Cluster
) -> None:
    core, batch = "/api/v1/namespaces/changed", "/apis/batch/v1/namespaces/changed"
    cluster.apply("/api/v1/namespaces", {"metadata": {"name": "changed"}})
    job = {"template": {"spec": pod_spec(restartPolicy="Never")}}
    cluster.apply(f"{batch}/jobs", {"metadata": meta("job", "changed"), "spec": job})
    sidecar = {"name": "proxy", "image": "registry.test/proxy:1"}
    with cluster.client() as client:
        uid = client.get(f"{batch}/jobs/job").json()["metadata"]["uid"]
        for name in ("same", "debugged", "injected", "mounted"):
            spec = pod_spec(restartPolicy="Never")
            if name == "injected":
                spec["containers"] = [*pod_spec()["containers"], sidecar]  # type: ignore[misc]
            if name == "mounted":
                spec["volumes"] = [{"name": "node", "hostPath": {"path": "/"}}]
            own = meta(name, "changed", **owned("Job", "job", uid, "batch/v1"))
            cluster.apply(f"{core}/pods", {"metadata": own, "spec": spec})
        debugger = {"spec": {"ephemeralContainers": [{"name": "debugger", "image": "busybox"}]}}
        kind = {"Content-Type": "application/strategic-merge-patch+json"}
        answer = client.patch(f"{core}/pods/debugged/ephemeralcontainers", json=debugger, headers=kind)
        assert answer.is_success, answer.text
    found = by_title(collected(filled.kubeconfig(), namespaces=["changed"]))
    assert set(found) == {"Job changed/job", *(f"Pod changed/{each}" for each in ("debugged", "injected", "mounted"))}


def test_a_claim_of_a_live_cluster_leads_to_the_node(cluster: Cluster, filled: Cluster) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "node"}
    volume = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/"}}
    cluster.apply("/api/v1/persistentvolumes", {"metadata": {"name": "node"}, "spec": volume})
    cluster.apply("/api/v1/namespaces", {"metadata": {"name": "claiming"}})
    cluster.apply(
        "/api/v1/namespaces/claiming/persistentvolumeclaims", {"metadata": meta("data", "claiming"), "spec": claim}
    )
    pages = collected(filled.kubeconfig(), namespaces=["claiming", "shop"])
    assert pages[0].surroundings.claims == {"claiming/data": ("/",)}


def test_workloads_of_custom_resources_keep_their_place(filled: Cluster) -> None:
    agent = by_title(collected(filled.kubeconfig()))["Sandbox shop/agent"]
    assert (agent.path, agent.metadata.labels) == ("spec.podTemplate.spec", {"app": "agent"})
    assert agent.source.uid


def test_surroundings_come_with_each_page(filled: Cluster) -> None:
    pages = collected(filled.kubeconfig())
    around = next(page.surroundings for page in pages if any(each.name == "web" for each in page.workloads))
    assert around.complete
    assert around.namespaces["shop"]["tenancy"] == "shared"
    assert [each.handler for each in around.runtime_classes] == ["runsc"]
    assert around.exposure["Deployment shop/web"].via == ("Service shop/web", "Ingress shop/web")
    assert around.exposure["Deployment shop/web"].internet
    assert around.exposure["Deployment shop/quiet"].network_policy
    assert around.rights["shop/web"].broad == ("secrets: list",)
    assert [(each.name, each.handlers, each.user_namespace_handlers) for each in around.nodes] == [
        ("one", ("", "runsc"), ("",))
    ]


def test_a_namespace_can_be_chosen(filled: Cluster) -> None:
    assert not by_title(collected(filled.kubeconfig(), namespaces=["kube-system"]))
    assert "Pod shop/lonely" in by_title(collected(filled.kubeconfig(), namespaces=["kube-system", "shop"]))


def test_small_pages_give_the_same(filled: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = set(by_title(collected(filled.kubeconfig())))
    monkeypatch.setattr(cluster_client, "PAGE", 1)
    assert set(by_title(collected(filled.kubeconfig()))) == expected


def test_what_is_forbidden_is_said(filled: Cluster) -> None:
    pages = collected(filled.kubeconfig("nobody"))
    unreached = [each for page in pages for each in page.unreached]
    assert any("pods" in each.where and "forbidden" in each.what for each in unreached)
    assert not any(page.surroundings.complete for page in pages)


def test_a_time_limit_gives_what_was_read(filled: Cluster) -> None:
    pages = collected(filled.kubeconfig(), seconds=0.2)
    unreached = [each for page in pages for each in page.unreached]
    assert not unreached or any("time limit" in each.what or "no answer" in each.what for each in unreached)


def test_wrong_credentials_are_an_input_error(filled: Cluster) -> None:
    with pytest.raises(InputError, match="credentials"):
        collected(filled.kubeconfig("stranger"))


def test_a_server_out_of_reach_is_exit_code_4(filled: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(Path(filled.kubeconfig()).read_text().replace(str(filled.port), "1"))
    with pytest.raises(IncompleteError, match="cannot reach the cluster"):
        collected(str(file))


def test_a_client_certificate_lets_in(filled: Cluster) -> None:
    files = {"client-certificate": "reader.crt", "client-key": "reader.key"}  # Relative to the kubeconfig.
    assert "Pod shop/lonely" in by_title(collected(filled.kubeconfig("certificate", **files)))


def test_a_token_file_lets_in(filled: Cluster) -> None:
    (filled.folder / "token").write_text("reader-token\n")
    assert by_title(collected(filled.kubeconfig("file", tokenFile="token")))


def test_a_plugin_lets_in(filled: Cluster) -> None:
    credential = '{"kind": "ExecCredential", "status": {"token": "reader-token"}}'
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential]}
    assert by_title(collected(filled.kubeconfig("plugin", exec=plugin)))


@pytest.mark.parametrize(
    ("plugin", "error", "said"),
    [
        ({"command": "no-such-plugin", "installHint": "get it"}, MissingError, "get it"),
        ({"command": "false"}, InputError, "ended with 1"),
        ({"command": "echo", "args": ["{}"]}, InputError, "neither token nor certificate"),
        ({"command": "echo", "interactiveMode": "Always"}, RefusedError, "talk to a person"),
        ({"command": "echo", "apiVersion": "client.authentication.k8s.io/v1alpha1"}, RefusedError, "speaks"),
    ],
)
def test_a_plugin_that_fails_is_said(
    filled: Cluster, plugin: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        collected(filled.kubeconfig("broken", exec=plugin))


def test_a_pod_uses_its_service_account(filled: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("reader-token")
    (tmp_path / "ca.crt").write_bytes(filled.ca.read_bytes())
    monkeypatch.setattr("casemate.sources.cluster_access._ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(filled.port))
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    assert by_title(list(live.collect()))


def test_a_wrong_authority_is_not_trusted(filled: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "config"
    lines = Path(filled.kubeconfig()).read_text().splitlines()
    file.write_text("\n".join(line for line in lines if "certificate-authority-data" not in line))
    with pytest.raises(IncompleteError, match=r"(?i)certificate"):
        collected(str(file))


def assess(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("casemate")), "assess", "-o", "json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_assess_reads_the_cluster_of_a_kubeconfig(filled: Cluster) -> None:
    done = assess("--kubeconfig", filled.kubeconfig(), "-n", "shop")
    assert done.returncode in (0, 1), done.stderr
    named = {each["workload"]["name"] for each in json.loads(done.stdout)["items"]}
    assert named == {"web", "quiet", "web-1-b", "lonely", "agent"}


def test_assess_ends_with_exit_code_4_when_lists_are_forbidden(filled: Cluster) -> None:
    done = assess("--kubeconfig", filled.kubeconfig("nobody"))
    assert done.returncode == 4, done.stderr
    assert "forbidden" in done.stdout
