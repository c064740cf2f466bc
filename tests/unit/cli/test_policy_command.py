"""`casemate policy` as people and pipelines call it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonpatch
import pytest

from casemate.cli.main import run_command

POLICY = """\
apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec:
  match: {namespaces: {labels: {tenancy: shared}}}
  default: gvisor
  permitted: [gvisor, {boundary: ">=vm"}]
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {%s, containers: [{name: c, image: nginx}]}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {tenancy: shared}}\n"
SHARED = ["--namespace-labels", "tenancy=shared"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)
    Path("unset.yaml").write_text(POD % "restartPolicy: Always")
    Path("runc.yaml").write_text(POD % "runtimeClassName: runc")
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], file: str, *arguments: str) -> tuple[int, dict[str, object]]:
    code = run_command(["policy", "explain", "--policy", "policy.yaml", "--object", file, "-o", "json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_explain_gives_a_patch_that_applies_to_the_object(here, capsys):
    code, verdict = explained(capsys, "unset.yaml", *SHARED)
    assert (code, verdict["kind"], verdict["decision"]) == (0, "Verdict", "change")
    value = {"spec": {"containers": []}}
    assert jsonpatch.apply_patch(value, verdict["patch"])["spec"]["runtimeClassName"] == "gvisor"


def test_explain_ends_with_1_and_the_reason_when_it_denies(here, capsys):
    code, verdict = explained(capsys, "runc.yaml", *SHARED)
    assert (code, verdict["decision"]) == (1, "deny")
    (reason,) = verdict["reasons"]
    assert (reason["policy"], reason["rule"]) == ("tenants", "class-not-permitted")
    assert "runc" in reason["message"]


def test_explain_takes_labels_of_namespaces_in_the_files_and_says_when_it_has_none(here, capsys):
    code = run_command(["policy", "explain", "--policy", "policy.yaml", "--object", "runc.yaml"])
    assert (code, "no labels of namespace default" in capsys.readouterr().err) == (0, True)
    Path("runc.yaml").write_text(f"{POD % 'runtimeClassName: runc'}---\n{NAMESPACE}")
    code = run_command(["policy", "explain", "--policy", "policy.yaml", "--object", "runc.yaml"])
    assert (code, capsys.readouterr().err) == (1, "")


def test_several_objects_have_one_verdict_each(here, capsys):
    Path("both.yaml").write_text("---\n".join(Path(each).read_text() for each in ("unset.yaml", "runc.yaml")))
    code, verdicts = explained(capsys, "both.yaml", *SHARED)
    assert (code, verdicts["kind"], verdicts["decision"]) == (1, "VerdictList", "deny")
    assert [each["decision"] for each in verdicts["items"]] == ["change", "deny"]


def test_an_update_is_compared_with_what_was_there(here, capsys):
    assert explained(capsys, "runc.yaml", *SHARED, "--operation", "UPDATE", "--old", "unset.yaml")[0] == 1
    assert explained(capsys, "runc.yaml", *SHARED, "--operation", "UPDATE", "--old", "runc.yaml")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--object", "unset.yaml", "--namespace-labels", "tenancy"],
        ["--object", "unset.yaml", "--old", "runc.yaml"],
        ["--object", "policy.yaml"],
        ["--object", "missing.yaml"],
        ["--object", "unset.yaml", "--operation", "DELETE"],
    ],
)
def test_bad_input_ends_with_2(here, arguments):
    assert run_command(["policy", "explain", "--policy", "policy.yaml", *arguments]) == 2


def test_a_policy_for_users_is_asked_when_it_is_known_who_asks(here, capsys):
    Path("policy.yaml").write_text(POLICY.replace("{namespaces: {labels: {tenancy: shared}}}", "{groups: [devs]}"))
    assert explained(capsys, "runc.yaml")[1]["reasons"][0]["rule"] == "identity-unknown"
    assert explained(capsys, "runc.yaml", "--user", "a", "--groups", "ops,devs")[0] == 1
    assert explained(capsys, "runc.yaml", "--user", "a", "--groups", "ops, devs")[0] == 1


MATCH = "{namespaces: {labels: {tenancy: shared}}}"
ENTRIES = '[gvisor, {boundary: ">=vm"}]'
OTHER = POLICY.replace("tenants", "other")
EXCEPTION = """\
apiVersion: casemate.dev/v1alpha1
kind: IsolationException
metadata: {name: e}
spec:
  reason: r
  owner: o
  expires: 2126-12-31
  policies: [tenants]
  rules: [class-not-permitted]
  scope: {namespaces: {names: [a]}}
"""


@pytest.mark.parametrize(
    ("text", "finding", "line"),
    [
        (POLICY.replace(ENTRIES, "[kata]"), "default-not-permitted", 6),
        (f"{POLICY}  minimum: vm\n", "default-below-minimum", 6),
        (POLICY.replace("default: gvisor", "default: gvisr"), "unknown-class", 6),
        (POLICY.replace("default: gvisor", "upgrade: true"), "dead-rule", 6),
        (f"{POLICY}  hardening: {{below: sandbox, require: [seccomp]}}\n", "dead-rule", 8),
        (f"{POLICY.replace(ENTRIES, '[gvisor, runc]')}  minimum: sandbox\n", "dead-rule", 7),
        (f"{POLICY.replace(ENTRIES, '[gvisor]')}  minimum: vm\n", "empty-intersection", 8),
        (POLICY.replace(MATCH, "{podLabels: {app: web}}"), "anchor-editable", 5),
        (f"{POLICY}---\n{OTHER.replace(ENTRIES, '[runc]').replace('gvisor', 'runc')}", "empty-intersection", 15),
        (f"{POLICY}---\n{OTHER.replace('default: gvisor', 'default: kata')}", "unreachable-default", 6),
        (
            f"{POLICY}---\n{OTHER.replace('default: gvisor', 'default: kata').replace(ENTRIES, '[kata]')}",
            "unreachable-default",
            6,
        ),
        (f"{POLICY}---\n{EXCEPTION}", "exception-too-long", 15),
        (f"{POLICY}---\n{EXCEPTION.replace('2126', '2020')}", "exception-expired", 15),
        (f"{POLICY}---\n{EXCEPTION.replace('[tenants]', '[tenant]')}", "no-such-policy", 16),
        (f"{POLICY}---\n{EXCEPTION.replace('{namespaces: {names: [a]}}', '{kinds: [Pod]}')}", "anchor-editable", 18),
        (f"{POLICY}---\n{EXCEPTION.replace('class-not-permitted', 'hardening')}", "exception-unused", 17),
    ],
)
def test_check_finds_what_policies_do_not_do_as_they_seem(here, capsys, text, finding, line):
    Path("policy.yaml").write_text(text)
    assert run_command(["policy", "check", "policy.yaml", "-o", "json"]) == 1
    items = json.loads(capsys.readouterr().out)["items"]
    assert (finding, f"policy.yaml:{line}") in [(each["id"], each["where"].rpartition(":")[0]) for each in items]


def test_check_finds_nothing_in_the_six_lines(here, capsys):
    assert run_command(["policy", "check", "policy.yaml"]) == 0
    assert capsys.readouterr().out == "✓ 1 policy, 0 exceptions: nothing found\n"


def test_one_workload_is_counted_as_one(here, capsys):
    run_command(["policy", "impact", "--policy", "policy.yaml", "unset.yaml"])
    assert "1 workload: " in capsys.readouterr().out


SUITE = """\
apiVersion: casemate.dev/v1alpha1
kind: PolicyTest
policies: [policy.yaml]
cases:
- name: unset
  file: unset.yaml
  namespaceLabels: {tenancy: shared}
  expect: {decision: %s, patch: [{op: add, path: /spec/runtimeClassName, value: gvisor}]}
"""


@pytest.mark.parametrize(("expected", "code"), [("change", 0), ("deny", 1)])
def test_a_suite_passes_when_every_verdict_is_as_expected(here, capsys, expected, code):
    Path("suite.yaml").write_text(SUITE % expected)
    assert run_command(["policy", "test", "suite.yaml"]) == code
    text = capsys.readouterr().out
    assert ("- decision: deny" in text) is (code == 1)
    assert run_command(["policy", "test", "suite.yaml", "-o", "junit"]) == code
    assert f'failures="{code}"' in capsys.readouterr().out


def test_a_suite_with_a_misspelt_field_is_a_mistake(here, capsys):
    Path("suite.yaml").write_text((SUITE % "change").replace("namespaceLabels", "namespaceLabel"))
    assert run_command(["policy", "test", "suite.yaml"]) == 2
    assert "suite.yaml:7:3" in capsys.readouterr().err


def test_impact_says_what_would_change_and_cost_though_the_policy_only_audits(here, capsys):
    Path("policy.yaml").write_text(f"{POLICY}  mode: audit\n---\n{NAMESPACE}")
    Path("app").mkdir()
    Path("app/a.yaml").write_text(Path("unset.yaml").read_text())
    Path("app/b.yaml").write_text(POD.replace("name: a", "name: b") % "hostNetwork: true")
    assert run_command(["policy", "impact", "--policy", "policy.yaml", "app", "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(each["effect"], each["classAfter"]) for each in found["items"]] == [("change", "gvisor"), ("breaks", "")]
    assert found["summary"]["more"]["memory"] > 0


def test_assess_tells_the_verdict_and_recommends_what_is_permitted(here, capsys):
    Path("policy.yaml").write_text(f"{POLICY}---\n{NAMESPACE}")
    assert run_command(["assess", "unset.yaml", "--policy", "policy.yaml", "-o", "json"]) == 1
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["verdict"]["decision"] == "change"
    assert item["recommendation"]["runtimeClass"] == "gvisor"
