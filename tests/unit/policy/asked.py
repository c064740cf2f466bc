"""Policies, objects and surroundings for the tests of policies, as short as they can be written."""

from __future__ import annotations

import datetime
from typing import Any

import yaml

from casemate.catalogue import tables
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass, Scheduling
from casemate.model.policy import Operation, Policy, PolicyException, PolicySettings, Request, Verdict
from casemate.model.surroundings import Surroundings
from casemate.policy.evaluate import PolicySet, combined
from casemate.sources.policies import decode_exception, decode_policy
from casemate.sources.requests import workloads

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
HARDENED = {
    "hostUsers": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
STRICT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def runtime_class(name: str, handler: str, selector: dict[str, str] | None = None, **labels: str) -> RuntimeClass:
    scheduling = Scheduling(nodeSelector=selector) if selector else None
    return RuntimeClass(metadata=ObjectMeta(name=name, labels=labels), handler=handler, scheduling=scheduling)


CLASSES = (
    runtime_class("gvisor", "runsc", {"pool": "gvisor"}, tier="strong"),
    runtime_class("kata", "kata-qemu", tier="strong"),
    runtime_class("runc", "runc"),
    runtime_class("kata-lies", "runc"),
    runtime_class("mystery", "something-new"),
    runtime_class("confidential", "kata-qemu-snp"),
)
CLUSTER = Surroundings(complete=True, runtime_classes=CLASSES)


def policy(spec: str | dict[str, Any], name: str = "p", namespace: str = "") -> Policy:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    kind = "NamespacedIsolationPolicy" if namespace else "IsolationPolicy"
    body = yaml.safe_load(spec) if isinstance(spec, str) else spec
    return decode_policy(
        {"apiVersion": "casemate.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": body}, name
    )


def exception(spec: str | dict[str, Any], name: str = "e") -> PolicyException:
    given = yaml.safe_load(spec) if isinstance(spec, str) else spec
    body = {"reason": "a reason", "owner": "team", "expires": "2026-12-31", "policies": ["p"], **given}
    kind = "IsolationException"
    document = {"apiVersion": "casemate.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": body}
    return decode_exception(document, name)


def pod(spec: dict[str, Any] | None = None, /, metadata: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    body = {"containers": [{"name": "c", "image": "nginx"}], **(spec or {}), **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **(metadata or {})}, "spec": body}


def template(kind: str = "Deployment", spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    inner = pod(spec)
    version = {"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1", "PodTemplate": "v1"}.get(kind)
    holder: dict[str, Any] = {"template": {"metadata": inner["metadata"], "spec": inner["spec"]}}
    if kind == "CronJob":
        holder = {"jobTemplate": {"spec": holder}}
    whole = {"apiVersion": version or "apps/v1", "kind": kind, "metadata": {"name": "d", **metadata}}
    return {**whole, **holder} if kind == "PodTemplate" else {**whole, "spec": holder}


def made(*policies: Policy, exceptions: tuple[PolicyException, ...] = (), around: Surroundings = CLUSTER) -> PolicySet:
    return PolicySet(policies, exceptions, around, tables.load(), PolicySettings())


def ask(
    of: PolicySet,
    value: dict[str, Any],
    *,
    namespace: str = "team",
    labels: dict[str, str] | None = {},  # noqa: B006 - never changed
    user: str = "",
    groups: tuple[str, ...] = (),
    old: dict[str, Any] | None = None,
    now: datetime.datetime = NOW,
) -> Verdict:
    before = {each.path: each for each in workloads(old, namespace)} if old else {}
    operation = Operation.UPDATE if old else Operation.CREATE
    asked = (
        Request(
            workload=each,
            operation=operation,
            namespace_labels=labels,
            user=user,
            groups=groups,
            old=before.get(each.path),
        )
        for each in workloads(value, namespace)
    )
    return combined(of.evaluate(each, now) for each in asked)


def said(verdict: Verdict) -> set[str]:
    """The rules of the reasons that decided."""
    return {str(each.rule) for each in verdict.reasons if each.mode == "enforce"}


def changed(value: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The object after the verdict's patch."""
    import jsonpatch
    from msgspec import to_builtins

    return jsonpatch.apply_patch(value, to_builtins(list(verdict.patch)))
