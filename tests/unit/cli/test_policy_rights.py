"""`rbac: use` as commands show it: rights from files beside policies and objects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from casemate.cli.main import run_command

POLICY = """\
apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: using}
spec:
  permitted: [gvisor, kata]
  rbac: use
"""
ROLE = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: use-gvisor}
rules: [{apiGroups: [node.k8s.io], resources: [runtimeclasses], resourceNames: [gvisor], verbs: [use]}]
"""
BINDING = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ci, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: use-gvisor}
subjects: [{kind: ServiceAccount, name: ci}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: team-a}
spec: {runtimeClassName: %s, serviceAccountName: ci, containers: [{name: c, image: nginx}]}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pod.yaml").write_text(POD % "gvisor")


def ran(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str]:
    code = run_command(list(command))
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("policies", "objects", "code"),
    [
        (POLICY, POD, 1),
        (POLICY + ROLE, POD, 1),
        (POLICY + ROLE + BINDING, POD, 0),
        (POLICY + ROLE, POD + BINDING, 0),
        (POLICY + BINDING, POD + ROLE, 0),
        (POLICY, POD + ROLE + BINDING, 0),
    ],
    ids=["nothing", "a role alone", "beside the policy", "one beside each", "the other way", "beside the object"],
)
def test_explain_reads_roles_and_bindings_wherever_they_stand(capsys, policies, objects, code):
    Path("policy.yaml").write_text(policies)
    Path("pod.yaml").write_text(objects.replace("%s", "gvisor"))
    got, out = ran(capsys, "policy", "explain", "--policy", "policy.yaml", "--object", "pod.yaml", "-o", "json")
    assert got == code
    assert [each["rule"] for each in json.loads(out).get("reasons", ())] == ["class-not-granted"] * code


def test_explain_says_that_no_rights_are_known(capsys):
    Path("policy.yaml").write_text(POLICY)
    _, out = ran(capsys, "policy", "explain", "--policy", "policy.yaml", "--object", "pod.yaml")
    assert "whether service account team-a/ci may use class gvisor is not known: no Role and no binding is" in out


@pytest.mark.parametrize(("name", "code"), [("gvisor", 0), ("kata", 1)])
def test_impact_counts_rights(capsys, name, code):
    Path("policy.yaml").write_text(POLICY + ROLE)
    Path("pod.yaml").write_text((POD % name) + BINDING)
    assert ran(capsys, "policy", "impact", "--policy", "policy.yaml", "pod.yaml")[0] == code


def test_a_suite_tests_rights(capsys):
    Path("policy.yaml").write_text(POLICY + ROLE + BINDING)
    Path("suite.yaml").write_text(
        "apiVersion: casemate.dev/v1alpha1\nkind: PolicyTest\npolicies: [policy.yaml]\n"
        "cases: [{name: its own right, file: pod.yaml, expect: {decision: allow}}]\n"
    )
    assert ran(capsys, "policy", "test", "suite.yaml")[0] == 0


@pytest.mark.parametrize(("account", "recommended"), [("ci", "kata-qemu"), ("other", "")])
def test_assess_recommends_only_classes_that_the_account_may_use(capsys, account, recommended):
    role = ROLE.replace("[gvisor]", "[kata-qemu]")
    Path("policy.yaml").write_text(POLICY.replace("  permitted: [gvisor, kata]\n", "") + role + BINDING)
    labelled = POD.replace("namespace: team-a", "namespace: team-a, labels: {casemate.dev/need: sandbox}")
    Path("pod.yaml").write_text(labelled.replace("runtimeClassName: %s, ", "").replace(": ci", f": {account}"))
    _, out = ran(capsys, "assess", "pod.yaml", "--policy", "policy.yaml", "-o", "json")
    (item,) = json.loads(out)["items"]
    assert item["recommendation"]["runtimeClass"] == recommended


@pytest.mark.parametrize("written", ["usage", '""', "[use]", "true"])
def test_anything_but_use_is_a_mistake(capsys, written):
    Path("policy.yaml").write_text(POLICY.replace("rbac: use", f"rbac: {written}"))
    assert run_command(["policy", "check", "policy.yaml"]) == 2
    assert "policy.yaml:6:" in capsys.readouterr().err


def findings(capsys: pytest.CaptureFixture[str], text: str) -> list[tuple[str, str]]:
    Path("policy.yaml").write_text(text)
    _, out = ran(capsys, "policy", "check", "policy.yaml", "-o", "json")
    return [(each["id"], each["message"]) for each in json.loads(out)["items"]]


def test_check_names_classes_that_nobody_may_use_where_rights_are_known(capsys):
    missing = ("nobody-may-use", "no service account may use kata: whoever has it is refused")
    assert findings(capsys, POLICY + ROLE + BINDING) == [missing]
    assert findings(capsys, POLICY) == []


def test_check_finds_nothing_that_anybody_may_use(capsys):
    classes = "---\napiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: gvisor}\nhandler: runsc\n"
    by_boundary = POLICY.replace("[gvisor, kata]", "[{boundary: sandbox}]") + classes
    assert findings(capsys, by_boundary + ROLE + BINDING) == []
    other = ROLE.replace("[gvisor]", "[kata]")
    assert findings(capsys, by_boundary + other + BINDING) == [
        ("nobody-may-use", "no service account may use any class that it permits")
    ]


def test_check_finds_a_right_that_is_never_asked_for(capsys):
    text = POLICY.replace("[gvisor, kata]", "[]")
    assert findings(capsys, text + ROLE) == [("dead-rule", "it permits no class but unset, which needs no right")]


@pytest.mark.parametrize("to", ["kyverno", "gatekeeper"])
def test_compile_says_where_a_right_cannot_be_asked_for(capsys, to):
    Path("policy.yaml").write_text(POLICY)
    assert run_command(["policy", "compile", "--policy", "policy.yaml", "--to", to]) == 2
    assert "policy.yaml:1:1: using: rbac: use: its expressions cannot ask" in capsys.readouterr().err
