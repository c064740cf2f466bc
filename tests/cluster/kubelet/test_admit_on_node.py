"""The packaged webhook as Pods behind its Service: what it lets on the node, also while its Pods are killed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import installed as packaged
import pytest
from installed import CONFIGURATIONS, NAME, TEAM, Installed
from kubelet_pods import Object, await_ready, casemate, pod, ready_sandboxes, start, until
from node import Node
from webhook import DEPLOY, NAMESPACE

pytestmark = pytest.mark.root

POLICY = f"""
apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {{name: tenants}}
spec:
  match: {{namespaces: {{names: [{TEAM}]}}}}
  default: gvisor
  permitted: [gvisor]
"""
REPLICAS = 3


@pytest.fixture(scope="module")
def team(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A cluster with a Pod of team-a that names no class, and nothing of casemate yet."""
    found = packaged.prepare(node, tmp_path_factory.mktemp("installed"))
    (found.folder / "tenants.yaml").write_text(POLICY)
    found.kubectl("create", "namespace", TEAM)
    found.kubectl("-n", TEAM, "wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    start(node, pod("early", None, TEAM))
    yield found
    found.kubectl("delete", "namespace", TEAM)


@pytest.fixture(scope="module")
def impact(team: Installed) -> Object:
    """What `policy impact` says before anything is installed."""
    where = ("--policy", f"{team.folder}/tenants.yaml", "--cluster", "--kubeconfig", f"{team.folder}/kubeconfig")
    return dict(json.loads(casemate("policy", "impact", *where, "-o", "json")))


@pytest.fixture(scope="module")
def installed(team: Installed, impact: Object) -> Iterator[Installed]:
    """The same with the webhook, installed and taken away as docs/how-to/enforce-in-a-cluster.md says."""
    team.kubectl("apply", "--server-side", "-f", str(DEPLOY / "kustomize" / "crds.yaml"))
    team.kubectl("apply", "--server-side", "-k", str(team.folder))
    team.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{NAME}", "--timeout=100s")
    team.kubectl("apply", "-f", f"{team.folder}/tenants.yaml")
    team.kubectl("wait", "--for=condition=Bites", "isopol/tenants", "--timeout=60s")
    yield team
    team.kubectl("delete", *CONFIGURATIONS)
    team.kubectl("delete", "-k", str(team.folder), "--ignore-not-found")


def test_impact_tells_before_what_will_be_set(impact: Object) -> None:
    (found,) = [each for each in impact["items"] if each["namespace"] == TEAM]
    assert (found["title"], found["effect"], found["classAfter"]) == (f"Pod {TEAM}/early", "change", "gvisor")


def test_a_pod_without_a_class_runs_under_the_default(installed: Installed) -> None:
    installed.kubectl("apply", "--filename=-", given=json.dumps(pod("web", None, TEAM)))
    await_ready(installed.node, "web", TEAM)
    assert ready_sandboxes(installed.node)["web"] == "runsc"
    assert "gVisor" in installed.kubectl("-n", TEAM, "exec", "web", "--", "dmesg")


@pytest.mark.parametrize("class_name", ["runc", "crun", "wasm"])
def test_a_pod_of_another_class_is_refused(installed: Installed, class_name: str) -> None:
    answer = installed.ask(class_name)
    assert answer.status_code == 403
    assert "policy tenants: class" in answer.json()["message"]


def test_a_pod_elsewhere_is_left_alone(installed: Installed) -> None:
    assert "runtimeClassName" not in installed.ask(namespace="default").json()["spec"]


def test_what_ran_before_runs_on_and_is_in_the_audit(installed: Installed) -> None:
    assert ready_sandboxes(installed.node)["early"] in ("runc", "")
    told = f'casemate_audit_violations{{namespace="{TEAM}",policy="tenants",rule="default-set"}} 1.0'
    until(lambda: told in "\n".join(map(installed.metrics, installed.replicas())), installed.told)


def test_its_pods_have_the_rights_that_they_need(installed: Installed) -> None:
    assert len(installed.replicas()) == REPLICAS
    logs = installed.logs()
    assert '"event": "leads"' in logs
    assert '"level": "error"' not in logs
    assert "orbidden" not in logs
    assert "no Lease" not in logs


def test_nothing_unwanted_is_let_in_while_its_pods_are_killed(installed: Installed) -> None:
    for name in installed.replicas():
        installed.kubectl("-n", NAMESPACE, "delete", "pod", name, "--grace-period=0", "--force")
        until(lambda: installed.is_open() and len(installed.replicas()) == REPLICAS, installed.told)


@pytest.fixture(scope="module")
def gone(installed: Installed) -> Installed:
    """The same without any of its Pods."""
    installed.scale(0)
    return installed


def test_without_its_pods_all_is_closed_but_what_brings_it_back(gone: Installed) -> None:
    assert not gone.is_open()
    assert not gone.ask(namespace="default").is_success
    assert not gone.ask(namespace="kube-system").is_success
    assert gone.ask(namespace="kube-system", priorityClassName="system-node-critical").is_success
    gone.kubectl("delete", "isopol/tenants", "--dry-run=server")


def test_a_cluster_administrator_breaks_the_glass_and_mends_it(gone: Installed) -> None:
    gone.kubectl("delete", *CONFIGURATIONS)
    assert gone.ask("runc").is_success
    gone.kubectl("apply", "--server-side", "-f", str(DEPLOY / "kustomize" / "webhooks.yaml"))
    assert not gone.ask("runc").is_success


def test_its_pods_come_back_though_all_else_is_closed(gone: Installed) -> None:
    gone.scale(REPLICAS)
    until(gone.is_open, gone.told)
