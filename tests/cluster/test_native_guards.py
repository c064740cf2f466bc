"""Compiled policies on a real API server: moving between classes, ephemeral containers, clocks, anchors, and disks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from apiserver import Running
from native import FLAGS, Force, Guarded, exception, policy, surroundings

from casemate.catalogue import tables
from casemate.model.policy import PolicySettings
from casemate.policy.compile import native, static
from casemate.policy.compile.gaps import Gap
from casemate.policy.compile.tables import tabulated
from casemate.sources.templates import wrap

Object = dict[str, Any]

IN_TEAM_A: Object = {"namespaces": {"names": ["team-a"]}}
ACCEPTED: Object = {
    "policies": ["listed"],
    "rules": ["class-unset", "class-not-permitted"],
    "scope": {"namespaces": {"names": ["team-a"]}},
    "permitted": ["", "runc"],
}
STRICT: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Running(tmp_path_factory.mktemp("guards"), *FLAGS) as cluster:
        yield Guarded(cluster)


def pod(class_name: str | None = None, /, name: str = "attack", **spec: Any) -> Object:
    named = {} if class_name is None else {"runtimeClassName": class_name}
    body = {"containers": [{"name": "app", "image": "nginx"}], **named, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "team-a"}, "spec": body}


def listed(**spec: Any) -> Force:
    return Force((policy("listed", {"match": IN_TEAM_A, "permitted": ["gvisor", "kata"], **spec}),))


def test_moving_to_a_stronger_class_drops_what_the_weaker_one_brought(guarded: Guarded) -> None:
    guarded.install(listed(default="kata", upgrade=True).compiled())
    said = guarded.create(pod("slow", nodeSelector={"mine": "yes"}))
    assert said.class_name == "kata", said.message
    assert said.object["spec"]["overhead"] == {"memory": "160Mi"}
    assert said.object["spec"]["nodeSelector"] == {"mine": "yes", "pool": "kata"}


def test_without_the_removal_the_class_plugin_would_have_refused_the_move(guarded: Guarded) -> None:
    guarded.install(listed(default="kata", upgrade=True).compiled())
    said = guarded.create(pod("slow", nodeSelector={"pool": "other"}))
    assert said.decision == "deny"
    assert "conflict: runtimeClass.scheduling.nodeSelector" in said.message


def test_a_template_gets_the_default_when_an_update_rewrites_it(guarded: Guarded) -> None:
    guarded.clear()
    old = wrap(pod(), "Deployment")
    guarded.create(old, keep=True)
    guarded.install(listed(default="gvisor").compiled())
    new = wrap(pod(hostNetwork=True), "Deployment")
    assert guarded.update(new).class_name == "gvisor"
    assert guarded.update({**old, "spec": {**old["spec"], "replicas": 3}}).class_name == ""
    guarded.clear()
    guarded.remove(old)


def test_an_ephemeral_container_cannot_bring_what_hardening_refuses(guarded: Guarded) -> None:
    guarded.clear()
    hardened = pod("gvisor")
    hardened["spec"]["containers"][0]["securityContext"] = STRICT
    kept = guarded.create(hardened, keep=True).object
    rule = {"below": "vm", "require": ["not-privileged", "seccomp"]}
    guarded.install(Force((policy("hard", {"match": IN_TEAM_A, "hardening": rule}),)).compiled())
    for context, decision in ((STRICT, "allow"), ({**STRICT, "seccompProfile": {"type": "Unconfined"}}, "deny")):
        debug = {"name": "debug", "image": "busybox", "securityContext": context}
        body = {**kept, "spec": {**kept["spec"], "ephemeralContainers": [debug]}}
        said = guarded.update(body, "ephemeralcontainers")
        assert said.decision == decision, said.message
    assert said.rules == {"hardening"}
    guarded.clear()
    guarded.remove(hardened)


@pytest.mark.parametrize(
    ("expires", "decision"),
    [("2026-01-01", "deny"), ("2099-01-01", "deny"), ("soon", "allow")],
    ids=["expired", "too far off", "in force"],
)
def test_the_api_servers_clock_decides_which_exception_holds(guarded: Guarded, expires: str, decision: str) -> None:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)) if expires == "soon" else expires
    force = Force(listed().policies, (exception("e", {**ACCEPTED, "expires": when}),))
    guarded.install(force.compiled())
    lying = pod("runc")
    lying["metadata"]["creationTimestamp"] = "2025-12-01T00:00:00Z"
    assert guarded.create(lying).decision == decision
    assert guarded.create(pod()).decision == decision


def test_an_exception_ends_while_the_policy_stays_installed(guarded: Guarded) -> None:
    ends = time.time() + 15
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    guarded.install(Force(listed().policies, (exception("e", {**ACCEPTED, "expires": when}),)).compiled())
    assert guarded.create(pod("runc")).decision == "allow"
    time.sleep(max(0.0, ends - time.time()) + 1)
    assert guarded.create(pod("runc")).decision == "deny"


def test_an_update_is_accepted_by_no_exception(guarded: Guarded) -> None:
    guarded.clear()
    old = wrap(pod("gvisor"), "Deployment")
    guarded.create(old, keep=True)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    guarded.install(Force(listed().policies, (exception("e", {**ACCEPTED, "expires": when}),)).compiled())
    assert guarded.create(wrap(pod("runc", name="new"), "Deployment")).decision == "allow"
    assert guarded.update(wrap(pod("runc"), "Deployment")).decision == "deny"
    guarded.clear()
    guarded.remove(old)


@pytest.mark.parametrize(("groups", "decision"), [(("tenants",), "deny"), (("system:masters",), "allow")])
@pytest.mark.parametrize("subresource", ["", "status", "finalize"])
def test_only_guardians_move_a_label_that_policies_choose_by(
    guarded: Guarded, subresource: str, groups: tuple[str, ...], decision: str
) -> None:
    force = Force((policy("shared", {"match": {"namespaces": {"labels": {"tenancy": "shared"}}}, "permitted": []}),))
    guarded.install(force.compiled())
    there = guarded.client.get("/api/v1/namespaces/team-a").json()
    for labels, expected in (({"tenancy": "private"}, decision), ({"cost": "8"}, "allow"), ({}, "allow")):
        there["metadata"]["labels"] = {**there["metadata"]["labels"], "tenancy": "shared", **labels}
        path = "/".join(filter(None, ("/api/v1/namespaces/team-a", subresource)))
        said = guarded._send("PUT", path, there, "alice", groups)
        assert said.decision == expected, said.message


@pytest.mark.parametrize(("groups", "decision"), [(("tenants",), "deny"), (("system:masters",), "allow")])
def test_only_guardians_make_remove_or_repoint_a_class(
    guarded: Guarded, groups: tuple[str, ...], decision: str
) -> None:
    guarded.install(Force((policy("p", {"permitted": [{"labels": {"tier": "sandboxed"}}]}),)).compiled())
    path = "/apis/node.k8s.io/v1/runtimeclasses"
    there = guarded.client.get(f"{path}/slow").json()
    labelled = {**there, "metadata": {**there["metadata"], "labels": {"tier": "sandboxed"}}}
    heavier = {**there, "overhead": {"podFixed": {"memory": "1Mi"}}}
    fresh = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "fresh"}, "handler": "runc"}
    for method, where, body in (
        ("POST", path, fresh),
        ("PUT", f"{path}/slow", labelled),
        ("PUT", f"{path}/slow", heavier),
        ("DELETE", f"{path}/slow", {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}),
    ):
        said = guarded._send(method, where, body, "alice", groups)
        if said.status != 422:
            assert said.decision == decision, (method, said.message)
    unguarded = {**there, "metadata": {**there["metadata"], "annotations": {"note": "mine"}}}
    assert guarded._send("PUT", f"{path}/slow", unguarded, "alice", groups).decision == "allow"


def test_audit_and_warn_let_in_and_say_so(guarded: Guarded) -> None:
    guarded.install(listed(mode="warn").compiled())
    answer = guarded.client.post("/api/v1/namespaces/team-a/pods?dryRun=All", json=pod("runc"))
    assert answer.status_code == 201
    assert "class runc is not permitted" in answer.headers["Warning"]


def test_before_mutating_policies_a_default_is_a_gap(guarded: Guarded) -> None:
    written = tabulated(listed(default="gvisor").policies, (), surroundings(), tables.load(), PolicySettings())
    compiled = native.compile(written, partial=True, version="1.35")
    assert any(each.part == "default" and each.open for each in compiled.gaps if isinstance(each, Gap))
    guarded.install(compiled)
    assert guarded.create(pod()).rules == {"class-unset"}


def test_policies_on_the_api_servers_disk_bite_and_cannot_be_removed(tmp_path: Path) -> None:
    compiled = static.static(listed(default="gvisor", rbac="use").compiled(), "1.36")
    for name in (static.VALIDATING, static.MUTATING):
        (tmp_path / name).mkdir()
        chosen = [each for each in compiled.objects if static.folder(each) == name]
        (tmp_path / name / "casemate.yaml").write_text(yaml.safe_dump_all(chosen))
    configuration = tmp_path / "admission.yaml"
    folders = (static.VALIDATING, static.MUTATING)
    configuration.write_text(yaml.safe_dump(static.configuration(PurePosixPath(tmp_path), folders)))
    gate = "--feature-gates=ManifestBasedAdmissionControlConfig=true"
    server = tmp_path / "server"
    server.mkdir()
    with Running(server, *FLAGS, gate, f"--admission-control-config-file={configuration}") as cluster:
        found = Guarded(cluster)
        found.clear()
        assert found.create(pod(serviceAccountName="ci")).class_name == "gvisor"
        assert found.create(pod("kata", serviceAccountName="ci")).rules == {"class-not-granted"}
        assert found.create(pod("runc")).rules == {"class-not-permitted"}
