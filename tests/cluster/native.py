"""Compiled admission policies on a real API server, and requests that are sent to both it and the evaluator."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from apiserver import Cluster
from msgspec.structs import replace

from casemate.catalogue import tables
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import Operation, Policy, PolicyException, PolicySettings, Verdict
from casemate.model.surroundings import Surroundings
from casemate.policy.asking import Asked, verdict
from casemate.policy.compile import native
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.tables import tabulated
from casemate.policy.evaluate import PolicySet
from casemate.sources.fast_decode import decode
from casemate.sources.policies import decode_exception, decode_policy
from casemate.sources.surroundings import Neighbours

Object = dict[str, Any]

FLAGS = ("--disable-admission-plugins=ServiceAccount", "--allow-privileged=true")
_RBAC = "rbac.authorization.k8s.io"
PATIENCE = 60.0  # seconds; the API server looks for changed policies once a second
ADMISSION = {
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
PATHS = {
    "Pod": "api/v1/namespaces/{}/pods",
    "PodTemplate": "api/v1/namespaces/{}/podtemplates",
    "ReplicationController": "api/v1/namespaces/{}/replicationcontrollers",
    **{
        kind: f"apis/apps/v1/namespaces/{{}}/{kind.lower()}s"
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    },
    **{kind: f"apis/batch/v1/namespaces/{{}}/{kind.lower()}s" for kind in ("Job", "CronJob")},
    "Namespace": "api/v1/namespaces",
    "RuntimeClass": "apis/node.k8s.io/v1/runtimeclasses",
    "ClusterRole": f"apis/{_RBAC}/v1/clusterroles",
    "ClusterRoleBinding": f"apis/{_RBAC}/v1/clusterrolebindings",
    "RoleBinding": f"apis/{_RBAC}/v1/namespaces/{{}}/rolebindings",
    **{kind: f"apis/admissionregistration.k8s.io/v1/{resource}" for kind, resource in ADMISSION.items()},
}
CLASSES: tuple[Object, ...] = (
    {"metadata": {"name": "gvisor", "labels": {"tier": "sandboxed"}}, "handler": "runsc"},
    {
        "metadata": {"name": "kata", "labels": {"tier": "sandboxed"}},
        "handler": "kata-qemu",
        "overhead": {"podFixed": {"memory": "160Mi"}},
        "scheduling": {"nodeSelector": {"pool": "kata"}},
    },
    {
        "metadata": {"name": "slow"},
        "handler": "crun",
        "overhead": {"podFixed": {"memory": "64Mi"}},
        "scheduling": {"nodeSelector": {"pool": "slow"}, "tolerations": [{"key": "slow", "operator": "Exists"}]},
    },
    {"metadata": {"name": "runc"}, "handler": "runc"},
    {"metadata": {"name": "kata-lies"}, "handler": "runc"},
    {"metadata": {"name": "mystery"}, "handler": "something-new"},
)
NAMESPACES: dict[str, dict[str, str]] = {
    "team-a": {"tenancy": "shared", "cost": "7"},
    "team-b": {"tenancy": "private"},
    "bare": {},
    "casemate-system": {},
}


def _role(name: str, verb: str, *classes: str) -> Object:
    rule = {"apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"], "verbs": [verb]}
    named = {"resourceNames": list(classes)} if classes else {}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [rule | named],
    }


def _bound(role: str, kind: str, subject: str, namespace: str = "", account_in: str = "team-a") -> Object:
    """`account_in` is the namespace of a service account."""
    own = {"namespace": account_in} if kind == "ServiceAccount" else {"apiGroup": _RBAC}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": f"{role}-{subject.replace(':', '-')}", **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": kind, "name": subject, **own}],
    }


RIGHTS: tuple[Object, ...] = (
    _role("use-gvisor", "use", "gvisor"),
    _role("use-kata-or-slow", "use", "kata", "slow"),
    _role("use-any", "use"),
    _role("all-of-runc", "*", "runc"),
    _role("see-any", "get"),
    _bound("use-gvisor", "ServiceAccount", "ci", "team-a"),
    _bound("use-kata-or-slow", "ServiceAccount", "ci", "team-b"),
    _bound("use-kata-or-slow", "Group", "system:serviceaccounts:team-b"),
    _bound("all-of-runc", "Group", "system:serviceaccounts"),
    _bound("use-any", "User", "alice"),
    _bound("use-any", "Group", "system:authenticated"),
    _bound("use-any", "ServiceAccount", "trusted"),
    _bound("see-any", "ServiceAccount", "default"),
)
"""Who may use which class: of the accounts that requests name, each may use something, and none everything."""


def surroundings() -> Surroundings:
    """What the evaluator and the compiler know of the cluster."""
    classes = tuple(decode({"apiVersion": "node.k8s.io/v1", **each}, RuntimeClass).struct for each in CLASSES)
    neighbours = Neighbours()
    for each in RIGHTS:
        neighbours.take(each)
    use = neighbours.around((), complete=True).use
    return replace(Surroundings(), complete=True, runtime_classes=classes, use=use)


def policy(name: str, spec: Object, namespace: str = "") -> Policy:
    kind = "NamespacedIsolationPolicy" if namespace else "IsolationPolicy"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return decode_policy(_document(kind, metadata, spec), name)


def exception(name: str, spec: Object) -> PolicyException:
    given = {"reason": "a reason", "owner": "team", **spec}
    return decode_exception(_document("IsolationException", {"name": name}, given), name)


def _document(kind: str, metadata: Object, spec: Object) -> Object:
    return {"apiVersion": "casemate.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class Answer:
    """What the API server said: `allow` or `deny`, why, the rules that its message names, and the object."""

    decision: str
    status: int
    message: str
    object: Object

    @property
    def rules(self) -> set[str]:
        return set(re.findall(r"\[([a-z-]+)\]", self.message))

    @property
    def class_name(self) -> str:
        return str(spec_of(self.object).get("runtimeClassName", ""))


class Guarded:
    """A cluster with classes and namespaces, in which policies come and go."""

    def __init__(self, cluster: Cluster) -> None:
        self._settled = 0
        self.client = cluster.client()
        self.client.timeout = httpx.Timeout(30)
        for each in CLASSES:
            self._post("RuntimeClass", {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", **each})
        for name, labels in NAMESPACES.items():
            metadata = {"name": name, "labels": labels}
            self._post("Namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for each in RIGHTS:
            self._post(each["kind"], each)
        self._let_everybody()

    def install(self, compiled: Compiled) -> None:
        """Put these objects in the place of those before, and wait until they bite."""
        self._remove_policies()
        for each in compiled.objects:
            answer = self.client.post(f"/{PATHS[str(each['kind'])]}", json=each)
            assert answer.status_code == 201, answer.text[:2000]
        self._settle()

    def clear(self) -> None:
        """Take all admission policies away, and wait until they are gone."""
        self._remove_policies()
        self._settle()

    def _remove_policies(self) -> None:
        for kind in ADMISSION:
            self.client.delete(f"/{PATHS[kind]}")

    def _settle(self) -> None:
        """Wait until a pair of policies bites that was made after all others: whatever came before is then seen."""
        self._settled += 1
        mark = f"canary-{self._settled}"
        for each in _canary(mark):
            self.client.post(f"/{PATHS[each['kind']]}", json=each)
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "canary"}}
            said = self.client.post("/api/v1/namespaces/bare/configmaps?dryRun=All", json=body)
            if f"{mark} changed, {mark} refused" in said.text:
                return
            time.sleep(0.2)
        raise AssertionError(f"policies do not bite: {said.text}")

    def create(self, body: Object, user: str = "alice", groups: Sequence[str] = ("tenants",), **how: Any) -> Answer:
        """What becomes of creating it; it is not kept unless `keep` says so."""
        path = f"/{PATHS[body['kind']].format(body['metadata'].get('namespace'))}"
        return self._send("POST", path, body, user, groups, **how)

    def update(
        self, body: Object, subresource: str = "", user: str = "alice", groups: Sequence[str] = ("tenants",), **how: Any
    ) -> Answer:
        """What becomes of putting it in the place of what is there."""
        path = f"/{PATHS[body['kind']].format(body['metadata'].get('namespace'))}/{body['metadata']['name']}"
        return self._send("PUT", f"{path}/{subresource}" if subresource else path, body, user, groups, **how)

    def remove(self, body: Object) -> None:
        """Take an object away at once."""
        path = PATHS[body["kind"]].format(body["metadata"].get("namespace"))
        self.client.delete(f"/{path}/{body['metadata']['name']}", params={"gracePeriodSeconds": 0})

    def _send(
        self, method: str, path: str, body: Object, user: str, groups: Sequence[str], *, keep: bool = False
    ) -> Answer:
        headers = [("Impersonate-User", user), *(("Impersonate-Group", each) for each in (*groups, "everybody"))]
        answer = self.client.request(method, path, json=body, headers=headers, params={} if keep else {"dryRun": "All"})
        found = answer.json()
        decision = "allow" if answer.is_success else "deny"
        return Answer(decision, answer.status_code, found.get("message", "") or "", found)

    def _post(self, kind: str, body: Object) -> None:
        answer = self.client.post(f"/{PATHS[kind].format(body['metadata'].get('namespace'))}", json=body)
        assert answer.status_code in (201, 409), answer.text

    def _let_everybody(self) -> None:
        """RBAC is not what is tried here."""
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"kind": "Group", "name": "everybody", "apiGroup": "rbac.authorization.k8s.io"}
        body = {"metadata": {"name": "everybody"}, "roleRef": role, "subjects": [subject]}
        self.client.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", json=body)


def _canary(mark: str) -> tuple[Object, ...]:
    """A policy that marks a ConfigMap and one that refuses what has that mark."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "canary", "expression": "object.metadata.name == 'canary'"}],
    }
    patch = f"[JSONPatch{{op: 'add', path: '/data', value: {{'mark': '{mark}'}}}}]"
    changing = {
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        "reinvocationPolicy": "Never",
    }
    message = f"(has(object.data) ? object.data.mark : 'nobody') + ' changed, {mark} refused'"
    refusing = {"validations": [{"expression": "false", "messageExpression": message}]}
    found: list[Object] = []
    for kind, body, bound in (
        ("MutatingAdmissionPolicy", changing, {}),
        ("ValidatingAdmissionPolicy", refusing, {"validationActions": ["Deny"]}),
    ):
        head = {"apiVersion": native.API_VERSION, "metadata": {"name": mark}}
        found.append({**head, "kind": kind, "spec": {**spec, **body}})
        found.append({**head, "kind": f"{kind}Binding", "spec": {"policyName": mark, **bound}})
    return tuple(found)


def spec_of(body: Object) -> Object:
    """The Pod specification in an object."""
    match body.get("kind"):
        case "Pod":
            found = body.get("spec", {})
        case "PodTemplate":
            found = body["template"]["spec"]
        case "CronJob":
            found = body["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        case "Status":
            found = {}
        case _:
            found = body["spec"]["template"]["spec"]
    return dict(found)


@dataclass(frozen=True)
class Force:
    """Policies and exceptions, for both sides."""

    policies: tuple[Policy, ...]
    exceptions: tuple[PolicyException, ...] = ()

    def compiled(self, version: str = "1.36") -> Compiled:
        written = tabulated(self.policies, self.exceptions, surroundings(), tables.load(), PolicySettings())
        return native.compile(written, partial=False, version=version)

    def verdict(
        self, body: Object, old: Object | None = None, user: str = "alice", groups: Sequence[str] = ("tenants",)
    ) -> Verdict:
        """What the evaluator says."""
        judge = PolicySet(self.policies, self.exceptions, surroundings(), tables.load(), PolicySettings())
        asked = Asked(
            operation=Operation.UPDATE if old else Operation.CREATE, user=user, groups=(*groups, "everybody"), old=old
        )
        found = verdict(judge, body, asked, NAMESPACES, datetime.datetime.now(datetime.UTC))
        assert found is not None
        return found
