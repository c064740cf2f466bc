"""`rbac: use`: the Pod's own service account must have the right to use its class."""

from __future__ import annotations

from typing import Any

import pytest
from asked import CLUSTER, ask, exception, made, pod, policy, template
from msgspec.structs import replace

from casemate.model.policy import Verdict
from casemate.model.surroundings import Surroundings
from casemate.policy.evaluate import PolicySet
from casemate.sources.surroundings import Neighbours

Object = dict[str, Any]

GROUP = "rbac.authorization.k8s.io"
CI = {"kind": "ServiceAccount", "name": "ci", "namespace": "team"}
TEAM = {"kind": "Group", "apiGroup": GROUP, "name": "system:serviceaccounts:team"}
EVERYBODY = {"kind": "Group", "apiGroup": GROUP, "name": "system:serviceaccounts"}
BY_NAME = {"kind": "User", "apiGroup": GROUP, "name": "system:serviceaccount:team:ci"}
RULE = {"apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"], "verbs": ["use"], "resourceNames": ["gvisor"]}


def role(name: str = "r", namespace: str = "", labels: Object | None = None, **rule: Any) -> Object:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name, "labels": labels or {}, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "rules": [{**RULE, **rule}]}


def binding(*subjects: Object, namespace: str = "", of: str = "r", kind: str = "ClusterRole") -> Object:
    metadata = {"name": "b", **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": of},
        "subjects": list(subjects),
    }


def around(*objects: Object) -> Surroundings:
    neighbours = Neighbours()
    for each in objects:
        neighbours.take(each)
    return replace(CLUSTER, use=neighbours.around((), complete=True).use)


def rights(*objects: Object, **spec: Any) -> PolicySet:
    return made(policy({"rbac": "use", **spec}), around=around(*objects))


def rules(of: Verdict) -> list[str]:
    return [str(each.rule) for each in of.reasons]


def denied(of: PolicySet, value: Object | None = None, **more: Any) -> bool:
    found = rules(ask(of, value or pod(serviceAccountName="ci", runtimeClassName="gvisor"), **more))
    assert found in ([], ["class-not-granted"])
    return bool(found)


GRANTS = {
    "a ClusterRole for the cluster": [role(), binding(CI)],
    "a ClusterRole in the Pod's namespace": [role(), binding(CI, namespace="team")],
    "a Role": [role(namespace="team"), binding(CI, namespace="team", kind="Role")],
    "an account without a namespace in a RoleBinding": [
        role(),
        binding({"kind": "ServiceAccount", "name": "ci"}, namespace="team"),
    ],
    "the name of its user": [role(), binding(BY_NAME)],
    "the accounts of its namespace": [role(), binding(TEAM)],
    "all accounts": [role(), binding(EVERYBODY)],
    "any verb": [role(verbs=["*"]), binding(CI)],
    "any resource": [role(resources=["*"]), binding(CI)],
    "any group": [role(apiGroups=["*"]), binding(CI)],
    "all classes": [role(resourceNames=[]), binding(CI)],
    "cluster-admin, which is not in the input": [binding(CI, of="cluster-admin")],
    "an aggregated role": [
        role("part", labels={"a": "b"}),
        {**role(verbs=["get"]), "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}},
        binding(CI),
    ],
}


@pytest.mark.parametrize("objects", GRANTS.values(), ids=GRANTS)
def test_a_service_account_with_the_right_may_use_the_class(objects: list[Object]) -> None:
    assert not denied(rights(*objects))


OTHERS = {
    "nothing is known": [],
    "another account's right": [role(), binding({**CI, "name": "other"})],
    "an account of that name elsewhere": [role(), binding({**CI, "namespace": "other"})],
    "a binding in another namespace": [role(), binding(CI, namespace="other")],
    "a Role of another namespace": [role(namespace="other"), binding(CI, namespace="team", kind="Role")],
    "a Role for the whole cluster, which there cannot be": [
        {**role(), "kind": "Role"},
        binding(CI, kind="Role"),
    ],
    "the accounts of another namespace": [role(), binding({**TEAM, "name": "system:serviceaccounts:other"})],
    "a user called as the group of all accounts": [role(), binding({**EVERYBODY, "kind": "User"})],
    "a group called as the account's user": [role(), binding({**BY_NAME, "kind": "Group"})],
    "everybody who is authenticated": [role(), binding({**EVERYBODY, "name": "system:authenticated"})],
    "an account without a namespace for the cluster": [role(), binding({"kind": "ServiceAccount", "name": "ci"})],
    "another class": [role(resourceNames=["kata"]), binding(CI)],
    "a pattern, which RBAC does not have": [role(resourceNames=["*"]), binding(CI)],
    "another verb": [role(verbs=["get", "list"]), binding(CI)],
    "a subresource": [role(resources=["runtimeclasses/status", "*/status"]), binding(CI)],
    "another group": [role(apiGroups=[""]), binding(CI)],
    "a role that nobody knows": [binding(CI)],
    "a role that only is called like cluster-admin": [
        role("cluster-admin", verbs=["get"]),
        binding(CI, of="cluster-admin"),
    ],
    "edit, which says nothing of classes": [binding(CI, of="edit")],
    "an aggregated role whose other conditions do not hold": [
        role("part", labels={"a": "b"}),
        {
            **role(verbs=["get"]),
            "aggregationRule": {
                "clusterRoleSelectors": [
                    {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}
                ]
            },
        },
        binding(CI),
    ],
}


@pytest.mark.parametrize("objects", OTHERS.values(), ids=OTHERS)
def test_whatever_is_not_exactly_that_right_is_none(objects: list[Object]) -> None:
    assert denied(rights(*objects))


def test_a_role_binding_without_a_namespace_counts_where_it_would_land_and_nowhere_else() -> None:
    written = binding(CI, EVERYBODY, namespace="team")
    del written["metadata"]["namespace"]
    found = rights(role(), written)
    assert denied(found)
    assert not denied(found, namespace="default")


def test_rights_of_who_asks_do_not_count() -> None:
    person = {"kind": "User", "apiGroup": GROUP, "name": "alice"}
    found = rights(role(), binding(person), binding({**person, "kind": "Group", "name": "admins"}))
    assert denied(found, user="alice", groups=("admins",))


def test_a_pod_that_a_controller_makes_is_judged_by_its_account_too() -> None:
    found = rights(role(), binding(CI))
    controller = "system:serviceaccount:kube-system:replicaset-controller"
    assert not denied(found, user=controller)
    assert denied(found, pod(runtimeClassName="gvisor"), user=controller)


@pytest.mark.parametrize("kind", ["Deployment", "CronJob", "Job", "PodTemplate"])
def test_templates_are_judged_by_the_account_of_their_pods(kind: str) -> None:
    found = rights(role(), binding(CI))
    assert not denied(found, template(kind, {"serviceAccountName": "ci", "runtimeClassName": "gvisor"}))
    assert denied(found, template(kind, {"runtimeClassName": "gvisor"}))


def test_the_old_field_of_the_account_counts_and_none_is_default() -> None:
    found = rights(role(), binding(CI), role("d", resourceNames=["kata"]), binding({**CI, "name": "default"}, of="d"))
    assert not denied(found, pod(serviceAccount="ci", runtimeClassName="gvisor"))
    assert not denied(found, pod(runtimeClassName="kata"))
    assert denied(found, pod(runtimeClassName="gvisor"))


def test_unset_needs_no_right() -> None:
    assert not denied(rights(), pod())


def test_a_default_that_the_account_may_not_use_is_refused() -> None:
    found = ask(rights(role(), binding(CI), default="gvisor"), pod())
    assert rules(found) == ["class-not-granted", "no-default"]


def test_a_default_that_the_account_may_use_is_set() -> None:
    found = ask(rights(role(), binding(CI), default="gvisor"), pod(serviceAccountName="ci"))
    assert [each.value for each in found.patch] == ["gvisor"]


def test_a_right_widens_nothing() -> None:
    wide = policy({"permitted": ["kata"]}, "wide")
    narrow = policy({"rbac": "use", "permitted": ["gvisor"]}, "narrow", namespace="team")
    found = made(wide, narrow, around=around(role(), binding(CI)))
    assert rules(ask(found, pod(serviceAccountName="ci", runtimeClassName="gvisor"))) == ["class-not-permitted"]


def test_an_update_that_changes_the_account_needs_the_right_and_one_that_keeps_it_does_not() -> None:
    found = rights(role(), binding(CI))
    running = template(spec={"serviceAccountName": "ci", "runtimeClassName": "gvisor"})
    lacking = template(spec={"serviceAccountName": "other", "runtimeClassName": "gvisor"})
    changed = template(spec={"serviceAccountName": "other", "runtimeClassName": "gvisor", "hostname": "h"})
    assert denied(found, lacking, old=running)
    assert denied(found, lacking, old=template(spec={"runtimeClassName": "gvisor"}))
    assert not denied(found, changed, old=lacking)


def test_an_exception_accepts_a_missing_right_for_its_classes_only() -> None:
    accepted = exception("{rules: [class-not-granted], permitted: [gvisor], scope: {serviceAccounts: [ci]}}")
    found = made(policy("{rbac: use}"), exceptions=(accepted,), around=around(role(verbs=["get"])))
    assert rules(ask(found, pod(serviceAccountName="ci", runtimeClassName="gvisor"))) == ["exception"]
    assert denied(found, pod(serviceAccountName="ci", runtimeClassName="kata"))


def test_equal_pods_of_other_accounts_and_namespaces_are_judged_apart() -> None:
    found = rights(role(), binding(CI))
    for name, namespace, right in (("ci", "team", True), ("x", "team", False), ("ci", "other", False)):
        value = pod(serviceAccountName=name, runtimeClassName="gvisor")
        assert denied(found, value, namespace=namespace) is not right


def test_the_message_tells_unknown_rights_from_missing_ones() -> None:
    value = pod(serviceAccountName="ci", runtimeClassName="gvisor")
    assert "is not known: no Role and no binding is" in ask(rights(), value).reasons[0].message
    said = ask(rights(role()), value).reasons[0].message
    assert said == (
        "service account team/ci has no right to use class gvisor (RBAC: verb use on runtimeclasses.node.k8s.io)"
    )
