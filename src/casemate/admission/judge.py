"""One admission request to one verdict, and the verdict to an answer. Pure: what it needs to know is given.

1. What is asked decides who answers: namespaces, RuntimeClasses and casemate's own objects are anchors, all else is a
   workload when it embeds a Pod template, and nobody's concern when it does not.
2. Only CREATE and UPDATE carry a workload that could run. Anchors are also judged when they are deleted.
3. A workload that cannot be read is denied (rule `malformed`); an old object that cannot be read counts as none, which
   judges the new one as new.
4. A policy that cannot be read denies what it could be about: its namespace's workloads, or all, save those of
   casemate's own namespace and of kube-system. The answer names it, and anyone who may delete it ends that.
5. `/mutate` only changes. Whether the object may be is for `/validate` to say, which sees it as it will be.
6. `/validate` never sees what `/mutate` was to change, unless that was not called or was undone: then it denies.
7. Nothing is carried from one call to the other in the object: each judges what it is given.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from casemate.admission import review
from casemate.admission.review import AdmissionRequest, Answer, PodRequest
from casemate.errors import InputError
from casemate.model.policy import Decision, Mode, Operation, PolicyReason, Request, Rule, Verdict
from casemate.model.workload import Workload
from casemate.policy import anchors
from casemate.policy.evaluate import PolicySet, combined
from casemate.sources import requests

OWN_GROUP: Final = "casemate.dev"
_JUDGED: Final = ("CREATE", "UPDATE")
_NONE: Final = Verdict(decision=Decision.ALLOW)


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A policy or exception that could not be read. `namespace` is empty when it is about the whole cluster."""

    title: str
    problem: str
    namespace: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The policies at one moment: a request is judged by one of these, whole. `revision` names it."""

    policies: PolicySet
    unread: tuple[Unread, ...] = ()
    revision: int = 0


def is_about_namespace(request: AdmissionRequest) -> bool:
    """Whether the labels of the request's namespace are needed to judge it."""
    group, resource = request.resource.group, request.resource.resource
    anchor = group == OWN_GROUP or (group, resource) == ("", "namespaces")
    return bool(request.namespace) and not anchor and request.operation in _JUDGED


def judge(
    standing: Standing, request: AdmissionRequest, labels: dict[str, str] | None, now: datetime.datetime
) -> Verdict:
    """The verdict on a request. `labels` are its namespace's; None when they could not be had."""
    match request.resource.group, request.resource.resource:
        case "", "namespaces":
            return _namespace(standing.policies, request)
        case "node.k8s.io", "runtimeclasses":
            return anchors.runtime_class(standing.policies, request.old, request.new, request.groups)
        case group, _ if group == OWN_GROUP:
            return _own_object(standing.policies, request, now)
    return _workload(standing, request, labels, now) if request.operation in _JUDGED else _NONE


def _namespace(policies: PolicySet, request: AdmissionRequest) -> Verdict:
    if request.new is None:  # A namespace that goes takes its Pods with it.
        return _NONE
    old = None if request.old is None else labels_of(request.old)
    return anchors.namespace(policies, old, labels_of(request.new), request.name, request.groups)


def _own_object(policies: PolicySet, request: AdmissionRequest, now: datetime.datetime) -> Verdict:
    return anchors.own_object(policies, request.old, request.new, request.groups, now)


def _workload(
    standing: Standing, request: AdmissionRequest, labels: dict[str, str] | None, now: datetime.datetime
) -> Verdict:
    try:
        found = _templates(request)
    except InputError as error:
        return _denial("", Rule.MALFORMED, f"cannot be read: {error.what}")
    except RecursionError:
        return _denial("", Rule.MALFORMED, "cannot be read: nested too deeply")
    if not found:
        return _NONE
    if unread := next(_in_the_way(standing, request.namespace), None):
        message = f"{unread.title} cannot be read ({unread.problem}): mend or delete it"
        return _denial(unread.title, Rule.MALFORMED, message)
    before = _before(request)
    asked = (_asked(request, each, before.get(each.path), labels) for each in found)
    return combined(standing.policies.evaluate(each, now) for each in asked)


def _templates(request: AdmissionRequest) -> tuple[Workload, ...]:
    if isinstance(request, PodRequest):
        return (request.made,)
    return () if request.new is None else requests.workloads(request.new, request.namespace)


def _asked(request: AdmissionRequest, new: Workload, old: Workload | None, labels: dict[str, str] | None) -> Request:
    return Request(
        workload=new,
        operation=Operation(request.operation),
        namespace_labels=labels,
        user=request.user_info.username,
        groups=request.groups,
        old=old,
        subresource=request.sub_resource,
    )


def _before(request: AdmissionRequest) -> dict[str, Workload]:
    """The templates of the old object by their place."""
    if request.old is None:
        return {}
    try:
        return {each.path: each for each in requests.workloads(request.old, request.namespace)}
    except (InputError, RecursionError):
        return {}


def _in_the_way(standing: Standing, namespace: str) -> Iterator[Unread]:
    spared = (standing.policies.settings.own_namespace, "kube-system")
    for each in standing.unread:
        if each.namespace == namespace or (not each.namespace and namespace not in spared):
            yield each


def labels_of(value: Mapping[str, object]) -> dict[str, str]:
    """The labels of an object."""
    meta = value.get("metadata")
    labels = meta.get("labels") if isinstance(meta, dict) else None
    return {key: str(each) for key, each in labels.items()} if isinstance(labels, dict) else {}


def _denial(policy: str, rule: Rule, message: str) -> Verdict:
    return Verdict(decision=Decision.DENY, reasons=(PolicyReason(policy=policy, rule=rule, message=message),))


def mutated(uid: str, verdict: Verdict) -> Answer:
    """The answer of `/mutate`."""
    if verdict.decision is not Decision.CHANGE:
        return review.allowed(uid)
    return review.allowed(uid, patch=verdict.patch, warnings=verdict.warnings, annotations=noted(verdict))


def validated(uid: str, verdict: Verdict) -> Answer:
    """The answer of `/validate`."""
    match verdict.decision:
        case Decision.ALLOW:
            return review.allowed(uid, warnings=verdict.warnings, annotations=noted(verdict))
        case Decision.DENY:
            text = message(verdict)
        case Decision.CHANGE:
            text = f"{message(verdict)}; this change was not made on the way, or undone"
    return review.denied(uid, f"casemate: {text}", warnings=verdict.warnings, annotations=noted(verdict))


def message(verdict: Verdict) -> str:
    """Why, in one line: the reasons that decided."""
    return "; ".join(f"{_by(each)}{each.message} ({each.rule})" for each in deciding(verdict)) or "denied"


def _by(reason: PolicyReason) -> str:
    return f"policy {reason.policy}: " if reason.policy else ""


def deciding(verdict: Verdict) -> Iterator[PolicyReason]:
    """The reasons of policies that enforce."""
    return (each for each in verdict.reasons if each.mode is Mode.ENFORCE)


def noted(verdict: Verdict) -> dict[str, str]:
    """What the API server's audit log keeps of a verdict: also what policies that only audit would have denied."""
    if not verdict.reasons:
        return {}
    said = {"decision": str(verdict.decision)}
    for mode in Mode:
        reasons = sorted({f"{each.policy or '-'}:{each.rule}" for each in verdict.reasons if each.mode is mode})
        if reasons:
            said[str(mode)] = ",".join(reasons)[:1024]
    return said | ({"exception": verdict.exception} if verdict.exception else {})
