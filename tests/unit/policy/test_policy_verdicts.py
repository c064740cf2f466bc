"""What policies decide, case by case, in the order of the rules in `casemate.model.policy`."""

from __future__ import annotations

import datetime

import pytest
from asked import CLASSES, CLUSTER, HARDENED, NOW, STRICT, ask, changed, exception, made, pod, policy, said, template
from msgspec.structs import replace

from casemate.model.kube.objects import Scheduling
from casemate.model.policy import Part
from casemate.model.surroundings import Node, Surroundings

GVISOR = "{default: gvisor, permitted: [gvisor, {boundary: '>=vm'}]}"
KINDS = (
    *("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"),
    *("ReplicationController", "PodTemplate"),
)
NONE = "{permitted: [no-such-class]}"
"""Whatever it matches is denied."""


def controller(name: str) -> str:
    return f"system:serviceaccount:kube-system:{name}"


# --- match -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ("{}", True),
        ("{namespaces: {names: [team]}}", True),
        ("{namespaces: {names: [tea]}}", False),
        ("{namespaces: {labels: {tenancy: shared}}}", True),
        ("{namespaces: {labels: {tenancy: other}}}", False),
        ("{namespaces: {names: [team], labels: {tenancy: other}}}", False),
        ("{namespaces: {expressions: [{key: tenancy, operator: NotIn, values: [other]}]}}", True),
        ("{namespaces: {expressions: [{key: absent, operator: NotIn, values: [other]}]}}", True),
        ("{namespaces: {expressions: [{key: tenancy, operator: DoesNotExist}]}}", False),
        ("{podLabels: {app: web}}", True),
        ("{podLabels: {app: web, tier: x}}", False),
        ("{serviceAccounts: [builder]}", True),
        ("{serviceAccounts: [team/builder]}", True),
        ("{serviceAccounts: [other/builder]}", False),
        ("{serviceAccounts: [default]}", False),
        ("{kinds: [Pod]}", True),
        ("{kinds: [ReplicaSet]}", True),
        ("{kinds: [Deployment]}", False),
        ("{users: [alice]}", True),
        ("{users: [ali]}", False),
        ("{groups: [devs]}", True),
        ("{users: [alice], groups: [ops]}", False),
        ("{images: [ghcr.io/acme/web]}", True),
        ("{images: ['ghcr.io/acme/web:1']}", True),
        ("{images: ['ghcr.io/acme/web:2']}", False),
        ("{images: [ghcr.io/acme/we]}", False),
        ("{images: ['ghcr.io/acme/**']}", True),
        ("{images: ['ghcr.io/ac/**']}", False),
        ("{images: ['ghcr.io/**']}", True),
        ("{images: [GHCR.IO/acme/web]}", True),
        ("{images: [nginx]}", True),
        ("{images: ['docker.io/library/nginx:latest']}", True),
        ("{images: [docker.io/nginx]}", True),
        ("{images: ['docker.io/**']}", True),
    ],
)
def test_a_policy_is_about_what_all_its_conditions_hold_for(match, matches):
    containers = [{"name": "c", "image": "ghcr.io/acme/web:1"}, {"name": "d", "image": "nginx"}]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
    value = pod(
        {"containers": containers, "serviceAccountName": "builder"},
        {"labels": {"app": "web"}, "ownerReferences": [owner]},
    )
    found = made(policy(f"{{match: {match}, permitted: [no-such-class]}}"))
    verdict = ask(found, value, labels={"tenancy": "shared"}, user="alice", groups=("devs",))
    assert (verdict.decision == "deny") is matches


@pytest.mark.parametrize(
    "spec",
    [
        {"initContainers": [{"name": "i", "image": "evil/x"}]},
        {"initContainers": [{"name": "i", "image": "evil/x", "restartPolicy": "Always"}]},
        {"ephemeralContainers": [{"name": "i", "image": "evil/x"}]},
        {"volumes": [{"name": "v", "image": {"reference": "evil/x"}}]},
        {"containers": [{"name": "c", "image": "Not An Image"}]},
    ],
    ids=["init", "sidecar", "ephemeral", "image volume", "unreadable"],
)
def test_every_image_of_a_pod_counts_for_a_policy(spec):
    found = made(policy("{match: {images: [evil/x]}, permitted: [no-such-class]}"))
    assert ask(found, pod(spec)).decision == "deny"


@pytest.mark.parametrize("user", [controller("replicaset-controller"), controller("generic-garbage-collector")])
def test_users_are_not_judged_where_a_controller_asks(user):
    found = made(policy("{match: {groups: ['system:serviceaccounts']}, permitted: [no-such-class]}"))
    assert ask(found, pod(), user=user, groups=("system:serviceaccounts",)).decision == "allow"


def test_somebody_elses_controller_in_kube_system_is_a_user():
    found = made(policy("{match: {groups: ['system:serviceaccounts']}, permitted: [no-such-class]}"))
    verdict = ask(found, pod(), user=controller("my-own-controller"), groups=("system:serviceaccounts",))
    assert verdict.decision == "deny"


def test_a_policy_about_users_says_that_it_was_not_applied_where_nobody_asks():
    verdict = ask(made(policy("{match: {users: [alice]}, permitted: [no-such-class]}")), pod())
    assert verdict.decision == "allow"
    assert [each.rule for each in verdict.reasons] == ["identity-unknown"]


def test_groups_alone_are_enough_for_a_policy_about_groups():
    found = made(policy("{match: {groups: [contractors]}, permitted: [no-such-class]}"))
    assert ask(found, pod(), groups=("contractors",)).decision == "deny"
    assert not ask(found, pod(), groups=("employees",)).reasons


@pytest.mark.parametrize(
    ("match", "who"),
    [("{users: [alice]}", {"groups": ("contractors",)}), ("{groups: [contractors]}", {"user": "alice"})],
)
def test_a_policy_about_what_is_not_known_of_the_asker_says_so(match, who):
    verdict = ask(made(policy(f"{{match: {match}, permitted: [no-such-class]}}")), pod(), **who)
    assert [each.rule for each in verdict.reasons] == ["identity-unknown"]


def test_unknown_namespace_labels_deny_where_a_policy_asks_for_them():
    found = made(policy("{match: {namespaces: {labels: {a: b}}}, permitted: []}"))
    assert said(ask(found, pod(), labels=None)) == {"namespace-unknown"}


@pytest.mark.parametrize("match", ["{namespaces: {names: [x], labels: {a: b}}}", "{podLabels: {z: z}}"])
def test_unknown_namespace_labels_matter_to_nothing_that_does_not_match_anyway(match):
    assert ask(made(policy(f"{{match: {match}, permitted: []}}")), pod(), labels=None).decision == "allow"


# --- class -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permitted", "name", "rule"),
    [
        ("[gvisor]", "gvisor", ""),
        ("[gvisor]", "", "class-unset"),
        ("[gvisor]", None, "class-unset"),
        ("['']", "", ""),
        ("['']", None, ""),
        ("[]", None, ""),
        ("[]", "runc", "class-not-permitted"),
        ("[runc]", None, ""),
        ("[{boundary: shared}]", None, ""),
        ("[{boundary: '>=shared'}]", "mystery", "class-not-permitted"),
        ("[{boundary: vm}]", "kata", ""),
        ("[{boundary: vm}]", "confidential", "class-not-permitted"),
        ("[{boundary: '>=vm'}]", "confidential", ""),
        ("[{boundary: '>=vm'}]", "gvisor", "class-not-permitted"),
        ("[{labels: {tier: strong}}]", "gvisor", ""),
        ("[{labels: {tier: strong}}]", "runc", "class-not-permitted"),
        ("[{labels: {tier: strong}}]", None, "class-unset"),
        ("[gvisor]", "gvi\u0455or", "class-not-permitted"),
        ("[gvisor]", "GVISOR", "class-not-permitted"),
        ("[gvisor]", " gvisor", "class-not-permitted"),
        ("[gvisor]", "gvisor ", "class-not-permitted"),
        ("[gvisor]", "gvisor\u200b", "class-not-permitted"),
        ("[kata-lies]", "kata-lies", "class-mismatch"),
        ("[missing]", "missing", "class-unknown"),
    ],
)
def test_a_class_must_be_permitted_as_it_is_written(permitted, name, rule):
    value = pod({} if name is None else {"runtimeClassName": name})
    verdict = ask(made(policy(f"{{permitted: {permitted}, fit: warn}}")), value)
    assert rule in said(verdict) if rule else not said(verdict)


def test_a_namespaced_policy_is_about_its_namespace_alone():
    found = made(policy(NONE, namespace="team"))
    assert ask(found, pod(), namespace="team").decision == "deny"
    assert ask(found, pod(), namespace="other").decision == "allow"


def test_permitted_sets_of_all_policies_intersect():
    found = made(policy("{permitted: [gvisor, kata]}", "a"), policy("{permitted: [kata, runc]}", "b"))
    decided = {name: ask(found, pod(runtimeClassName=name)).decision for name in ("gvisor", "kata", "runc")}
    assert decided == {"gvisor": "deny", "kata": "allow", "runc": "deny"}


def test_where_classes_are_not_known_a_name_declares_and_the_verdict_says_so():
    found = made(policy("{permitted: [{boundary: '>=vm'}]}"), around=Surroundings())
    verdict = ask(found, pod(runtimeClassName="kata"))
    assert verdict.decision == "allow"
    assert "judged by its name" in verdict.warnings[0]


# --- minimum and hardening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minimum", "name", "denied"),
    [
        ("sandbox", "gvisor", False),
        ("vm", "gvisor", True),
        ("vm", "kata", False),
        ("shared", None, False),
        ("hardened", None, True),
        ("shared", "mystery", True),
    ],
)
def test_a_class_must_reach_the_minimum_by_its_handler(minimum, name, denied):
    value = pod({"runtimeClassName": name} if name else {})
    assert ("below-minimum" in said(ask(made(policy(f"{{minimum: {minimum}}}")), value))) is denied


def hardened_pod(**container):
    return pod(
        {**HARDENED, "containers": [{"name": "c", "image": "nginx", "securityContext": {**STRICT, **container}}]}
    )


def test_a_shared_kernel_reaches_hardened_where_every_part_holds():
    assert ask(made(policy("{minimum: hardened}")), hardened_pod()).decision == "allow"


def test_need_is_what_assess_says():
    trusting = pod(metadata={"labels": {"casemate.dev/need": "vm"}})
    assert "below-minimum" in said(ask(made(policy("{minimum: need}")), trusting))


def test_a_workload_cannot_talk_its_need_down():
    found = made(policy("{minimum: need}"))
    modest = pod(metadata={"labels": {"casemate.dev/need": "shared", "casemate.dev/trust": "system"}})
    labels = {"casemate.dev/need": "vm"}
    assert said(ask(found, modest)) == said(ask(found, pod()))
    assert "below-minimum" in said(ask(found, modest, labels=labels))


EVERY = f"[{', '.join(Part)}]"


@pytest.mark.parametrize(
    ("part", "context", "spec"),
    [
        ("user-namespace", {}, {"hostUsers": True}),
        ("seccomp", {"seccompProfile": {"type": "Unconfined"}}, {}),
        ("seccomp", {"seccompProfile": {"type": "Localhost"}}, {}),
        ("no-new-privileges", {"allowPrivilegeEscalation": True}, {}),
        ("drop-capabilities", {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, {}),
        ("drop-capabilities", {"capabilities": {"drop": ["NET_RAW"]}}, {}),
        ("drop-capabilities", {"capabilities": {"drop": ["CAP_ALL"]}}, {}),
        ("non-root", {"runAsNonRoot": False}, {}),
        ("non-root", {"runAsUser": 0}, {}),
        ("not-privileged", {"privileged": True}, {}),
        ("not-privileged", {"procMount": "Unmasked"}, {}),
        ("not-privileged", {"appArmorProfile": {"type": "Unconfined"}}, {}),
        ("not-privileged", {"seLinuxOptions": {"type": "spc_t"}}, {}),
        ("not-privileged", {"windowsOptions": {"hostProcess": True}}, {}),
        ("no-host-namespaces", {}, {"hostPID": True}),
        ("no-host-namespaces", {}, {"hostIPC": True}),
        ("no-host-namespaces", {}, {"hostNetwork": True}),
        ("no-host-paths", {}, {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
    ],
)
@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
def test_each_part_of_hardening_counts_in_every_list_of_containers(kind, part, context, spec):
    found = made(policy(f"{{hardening: {{below: sandbox, require: {EVERY}}}}}"))
    value = hardened_pod()
    assert ask(found, value).decision == "allow"
    weak = {"name": "weak", "image": "nginx", "securityContext": {**STRICT, **context}}
    value["spec"] = {**value["spec"], **spec, kind: [*value["spec"].get(kind, []), weak]}
    messages = [each.message for each in ask(found, value).reasons if each.rule == "hardening"]
    assert any(part in each for each in messages)


def test_hardening_is_not_asked_behind_a_strong_boundary():
    found = made(policy(f"{{hardening: {{below: sandbox, require: {EVERY}}}}}"))
    assert ask(found, pod(runtimeClassName="gvisor")).decision == "allow"
    assert "hardening" in said(ask(found, pod(runtimeClassName="mystery")))


# --- annotations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "denied"),
    [
        ("[kata]", True),
        ("[{name: kata, annotations: [io.katacontainers.config.hypervisor.default_memory]}]", False),
        ("[{name: kata, annotations: ['io.katacontainers.config.hypervisor.*']}]", False),
        ("[{name: kata, annotations: ['io.katacontainers.config.agent.*']}]", True),
        ("[kata, {name: gvisor, annotations: ['io.katacontainers.*']}]", True),
    ],
)
def test_annotations_that_reconfigure_a_sandbox_belong_to_the_entry_that_permits_the_class(entries, denied):
    key = "io.katacontainers.config.hypervisor.default_memory"
    value = pod({"runtimeClassName": "kata"}, {"annotations": {key: "8192", "other": "x"}})
    assert ("sandbox-annotation" in said(ask(made(policy(f"{{permitted: {entries}}}")), value))) is denied


# --- default and upgrade -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [{}, {"runtimeClassName": ""}, {"runtimeClassName": None}])
def test_the_default_is_set_when_the_class_is_unset(spec):
    value = pod(spec)
    verdict = ask(made(policy(GVISOR)), value)
    assert verdict.decision == "change"
    assert changed(value, verdict)["spec"]["runtimeClassName"] == "gvisor"


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_set_in_every_kind_that_embeds_a_template(kind):
    value = template(kind)
    verdict = ask(made(policy(GVISOR)), value)
    assert ask(made(policy(GVISOR)), changed(value, verdict)).decision == "allow"


def test_every_template_of_a_custom_resource_is_changed():
    inner = {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}
    roles = {"Worker": inner, "Master/1": inner}
    value = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {}, "spec": {"roles": roles}}
    after = changed(value, ask(made(policy(GVISOR)), value))
    found = {each["template"]["spec"]["runtimeClassName"] for each in after["spec"]["roles"].values()}
    assert found == {"gvisor"}


def test_the_strongest_default_is_set_and_must_be_permitted_by_all():
    weak, strong = policy("{default: gvisor}", "a"), policy("{default: kata}", "b")
    assert ask(made(weak, strong), pod()).patch[0].value == "kata"
    found = ask(made(weak, strong, policy("{permitted: [gvisor]}", "c")), pod())
    assert found.decision == "deny"
    assert said(found) == {"class-not-permitted"}


@pytest.mark.parametrize(
    ("name", "after"),
    [("runc", "kata"), ("gvisor", "kata"), ("confidential", None), ("mystery", None), ("missing", None)],
)
def test_only_a_weaker_class_that_is_not_permitted_is_upgraded(name, after):
    verdict = ask(made(policy("{default: kata, permitted: [kata], upgrade: true}")), pod(runtimeClassName=name))
    assert (verdict.patch[0].value if verdict.patch else None) == after
    assert verdict.decision == ("change" if after else "deny")


def test_an_upgrade_takes_the_old_classs_overhead_and_selector_away():
    spec = {"runtimeClassName": "gvisor", "overhead": {"cpu": "1"}, "nodeSelector": {"pool": "gvisor", "a/b~c": "d"}}
    value = pod(spec)
    after = changed(value, ask(made(policy("{default: kata, permitted: [kata], upgrade: true}")), value))
    assert after["spec"]["runtimeClassName"] == "kata"
    assert "overhead" not in after["spec"]
    assert after["spec"]["nodeSelector"] == {"a/b~c": "d"}


def test_a_replica_set_of_a_deployment_is_left_to_its_pods():
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u", "controller": True}
    verdict = ask(made(policy(GVISOR)), template("ReplicaSet", ownerReferences=[owner]))
    assert verdict.decision == "allow"
    assert not verdict.patch


# --- fit ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "denied"),
    [
        (Node(name="n", labels={"pool": "gvisor"}, handlers=("", "runsc")), False),
        (Node(name="n", labels={"pool": "gvisor"}), False),
        (Node(name="n", labels={"pool": "gvisor"}, handlers=("", "runc")), True),
        (Node(name="n", labels={}, handlers=("", "runsc")), True),
    ],
)
def test_a_class_without_a_node_is_refused(node, denied):
    found = made(policy(GVISOR), around=replace(CLUSTER, nodes=(node,)))
    assert ("no-node" in said(ask(found, pod()))) is denied


def test_a_node_selector_that_contradicts_the_classs_is_refused():
    assert said(ask(made(policy(GVISOR)), pod(nodeSelector={"pool": "general"}))) == {"no-node"}
    assert ask(made(policy(GVISOR)), pod(nodeSelector={"pool": "gvisor", "a": "b"})).decision == "change"


def test_the_selector_of_a_class_that_is_replaced_contradicts_nothing():
    kata = replace(CLASSES[1], scheduling=Scheduling(nodeSelector={"pool": "kata"}))
    around = replace(CLUSTER, runtime_classes=(CLASSES[0], kata))
    found = made(policy("{default: kata, permitted: [kata], upgrade: true}"), around=around)
    value = pod(runtimeClassName="gvisor", nodeSelector={"pool": "gvisor"})
    assert ask(found, value).decision == "change"


def test_an_object_in_no_namespace_matches_no_condition_about_namespaces():
    found = made(policy("{match: {namespaces: {labels: {a: b}}}, permitted: [no-such-class]}"))
    value = {"apiVersion": "argoproj.io/v1", "kind": "ClusterTask", "metadata": {}, "spec": pod()["spec"]}
    assert ask(found, value, namespace="", labels=None).decision == "allow"
    assert ask(made(policy(NONE)), value, namespace="", labels=None).decision == "deny"


def test_a_class_that_would_break_the_workload_is_refused_or_warned_of():
    value = pod(hostNetwork=True)
    assert said(ask(made(policy(GVISOR)), value)) == {"would-break"}
    warned = ask(made(policy("{default: gvisor, fit: warn}")), value)
    assert warned.decision == "change"
    assert "would break it" in warned.warnings[0]


# --- exceptions --------------------------------------------------------------------------------------------------

RUNC = "{rules: [class-not-permitted], permitted: [runc], scope: {namespaces: {names: [team]}}}"


@pytest.mark.parametrize(
    ("spec", "accepted"),
    [
        (RUNC, True),
        ("{rules: [class-not-permitted], permitted: [kata], scope: {namespaces: {names: [team]}}}", False),
        ("{rules: [class-not-permitted], scope: {namespaces: {names: [other]}}}", False),
        ("{rules: [class-unset], scope: {namespaces: {names: [team]}}}", False),
        ("{rules: [class-not-permitted], policies: [q], scope: {namespaces: {names: [team]}}}", False),
        ("{rules: [class-not-permitted], expires: 2026-11-20, scope: {namespaces: {names: [team]}}}", False),
        ("{rules: [class-not-permitted], expires: '2026-11-21', scope: {namespaces: {names: [team]}}}", True),
        ("{rules: [class-not-permitted], expires: '2026-11-21T12:00:00Z', scope: {podLabels: {}}}", None),
        ("{rules: [class-not-permitted], expires: '2026-11-21T12:00:00Z', scope: {kinds: [Pod]}}", False),
        ("{rules: [class-not-permitted], expires: '2026-11-21T13:30:00+01:00', scope: {kinds: [Pod]}}", True),
        ("{rules: [class-not-permitted], expires: '2027-06-01', scope: {kinds: [Pod]}}", False),
        ("{rules: [class-not-permitted], scope: {images: [nginx]}}", True),
        ("{rules: [class-not-permitted], scope: {images: ['nginx:latest']}}", True),
        ("{rules: [class-not-permitted], scope: {images: [other]}}", False),
        ("{rules: [class-not-permitted], scope: {users: [alice]}}", False),
        ("{rules: [class-not-permitted], scope: {kinds: [Job]}}", False),
    ],
)
def test_an_exception_accepts_what_it_says_within_its_scope_until_it_expires(spec, accepted):
    import yaml

    from casemate.errors import InputError

    body = yaml.safe_load(spec)
    body["expires"] = str(body.get("expires", "2026-12-31"))
    if accepted is None:
        with pytest.raises(InputError):
            exception(body)
        return
    found = made(policy("{permitted: [gvisor]}"), exceptions=(exception(body),))
    verdict = ask(found, pod(runtimeClassName="runc"))
    assert (verdict.decision == "allow") is accepted
    assert (verdict.exception == "e") is accepted


def test_an_exception_expires_while_the_policies_stay():
    found = made(policy("{permitted: [gvisor]}"), exceptions=(exception(RUNC),))
    days = (0, 40, 41, 0)
    decided = [ask(found, pod(runtimeClassName="runc"), now=NOW + datetime.timedelta(each)).decision for each in days]
    assert decided == ["allow", "allow", "deny", "allow"]


def test_only_what_all_exceptions_accept_is_accepted():
    narrow = exception("{rules: [hardening], scope: {namespaces: {names: [team]}}}", "narrow")
    wide = exception(RUNC, "wide")
    value = pod(runtimeClassName="runc")
    assert ask(made(policy("{permitted: [gvisor]}"), exceptions=(wide,)), value).decision == "allow"
    assert ask(made(policy("{permitted: [gvisor]}"), exceptions=(wide, narrow)), value).decision == "deny"


def test_an_image_exception_needs_all_images_and_takes_no_tag_for_a_digest():
    held = exception("{rules: [class-not-permitted], scope: {images: ['nginx:1']}}")
    found = made(policy("{permitted: [gvisor]}"), exceptions=(held,))

    def decided(*images):
        containers = [{"name": f"c{index}", "image": each} for index, each in enumerate(images)]
        return ask(found, pod(runtimeClassName="runc", containers=containers)).decision

    digest = "sha256:" + "0" * 64
    assert decided("nginx:1") == "allow"
    assert decided("nginx:1", "evil") == "deny"
    assert decided("nginx:1", "Un Readable") == "deny"
    assert decided(f"nginx:1@{digest}") == "deny"


def test_a_pod_that_names_its_own_owner_gets_no_exception_of_that_kind():
    held = exception("{rules: [class-not-permitted], scope: {kinds: [DaemonSet]}}")
    found = made(policy("{permitted: [gvisor]}"), exceptions=(held,))
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
    value = pod({"runtimeClassName": "runc"}, {"ownerReferences": [owner]})
    assert ask(found, value, user="mallory").decision == "deny"
    assert ask(found, value, user=controller("daemon-set-controller")).decision == "allow"


def test_an_exception_for_unset_keeps_the_default_away():
    held = exception("{rules: [class-unset], permitted: [''], scope: {podLabels: {app: gpu}}}")
    found = made(policy(GVISOR), exceptions=(held,))
    assert ask(found, pod(metadata={"labels": {"app": "gpu"}})).decision == "allow"
    assert ask(found, pod()).decision == "change"


# --- mode --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_only_enforce_denies_and_changes(mode):
    verdict = ask(made(policy(f"{{permitted: [gvisor], mode: {mode}}}")), pod(runtimeClassName="runc"))
    assert verdict.decision == "allow"
    assert [(each.rule, each.mode) for each in verdict.reasons] == [("class-not-permitted", mode)]
    assert bool(verdict.warnings) is (mode == "warn")


def test_a_policy_that_audits_says_which_class_it_would_have_set():
    verdict = ask(made(policy(f"{GVISOR[:-1]}, mode: audit}}")), pod())
    assert [(each.rule, each.mode) for each in verdict.reasons] == [("default-set", "audit")]
    assert verdict.decision == "allow"


# --- update ------------------------------------------------------------------------------------------------------


def test_an_update_never_patches_a_pod_or_a_job():
    found = made(policy(GVISOR))
    for old in (pod(), template("Job")):
        new = {**old, "metadata": {**old["metadata"], "labels": {"x": "y"}}}
        assert not ask(found, new, old=old).patch


def test_an_update_of_a_template_gets_the_default():
    old = template()
    new = template(spec={"containers": [{"name": "c", "image": "nginx:2"}]})
    assert ask(made(policy(GVISOR)), new, old=old).decision == "change"


def test_an_update_that_leaves_the_template_alone_is_allowed():
    old = template(spec={"runtimeClassName": "runc"})
    assert ask(made(policy(GVISOR)), {**old, "status": {}}, old=old).decision == "allow"


def test_an_annotation_alone_is_judged_when_an_update_brings_it():
    annotated = pod(metadata={"annotations": {"io.katacontainers.config.agent.debug": "true"}})
    assert said(ask(made(policy("{permitted: ['']}")), annotated, old=pod())) == {"sandbox-annotation"}


def test_what_the_old_object_violated_in_the_same_way_is_not_denied_again():
    old = pod(runtimeClassName="runc")
    new = pod({"runtimeClassName": "runc"}, {"labels": {"x": "y"}})
    assert ask(made(policy("{permitted: [gvisor]}")), new, old=old).decision == "allow"


@pytest.mark.parametrize(
    "change",
    [
        {"ephemeralContainers": [{"name": "e", "image": "x"}]},
        {"ephemeralContainers": [{"name": "e", "image": "x", "securityContext": {"privileged": True}}]},
    ],
)
def test_a_new_container_is_judged_as_new(change):
    found = made(policy("{hardening: {below: vm, require: [no-new-privileges]}}"))
    assert "hardening" in said(ask(found, pod(change), old=pod()))


def test_an_object_that_is_being_deleted_is_judged_like_any_other():
    dying = {"deletionTimestamp": "2026-11-21T00:00:00Z", "finalizers": ["a/b"]}
    new = template(spec={"runtimeClassName": "runc"}, **dying)
    assert ask(made(policy("{permitted: [gvisor]}")), new, old=template(**dying)).decision == "deny"


# --- exempt ------------------------------------------------------------------------------------------------------


def test_casemates_own_namespace_is_not_judged():
    verdict = ask(made(policy(NONE)), pod(), namespace="casemate-system")
    assert [each.rule for each in verdict.reasons] == ["exempt"]


@pytest.mark.parametrize(
    ("match", "namespace", "decision"),
    [
        ("{}", "kube-system", "allow"),
        ("{namespaces: {names: [kube-system]}}", "kube-system", "deny"),
        ("{}", "team", "deny"),
    ],
)
def test_what_keeps_nodes_running_is_judged_only_by_policies_that_name_kube_system(match, namespace, decision):
    found = made(policy(f"{{match: {match}, permitted: [no-such-class]}}"))
    value = pod(priorityClassName="system-node-critical")
    assert ask(found, value, namespace=namespace).decision == decision


def test_a_mirror_pod_of_a_node_is_allowed_and_says_what_there_is_against_it():
    value = pod(metadata={"annotations": {"kubernetes.io/config.mirror": "x"}})
    found = made(policy(NONE))
    verdict = ask(found, value, user="system:node:n1", groups=("system:nodes",))
    assert verdict.decision == "allow"
    assert [each.rule for each in verdict.reasons] == ["exempt", "class-unset"]
    assert ask(found, value, user="mallory").decision == "deny"
    assert ask(found, value, user="system:node:n1").decision == "deny"
