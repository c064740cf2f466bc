"""Synthetic Pods that must be denied: which to ask for, so that a policy is seen to bite. Pure.

1. Each policy that enforces is probed by Pods that match it: one for each rule by which it denies one of a few simple
   Pods, as the evaluator says. Who is asked is another: the API server, which has to reach the webhook, and the
   webhook, which has to have the policies.
2. In a cluster the Pod is the template of a PodTemplate, made as a dry run: nothing ever starts one, and the right to
   make PodTemplates gives no power over nodes. The webhook's configuration has both in one rule.
3. What cannot be probed says why: users and groups are never us, and a policy that matches no namespace, or not the
   kind, denies nothing that we could ask for.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from casemate.admission.judge import Standing, deciding
from casemate.model.policy import Decision, Match, Mode, Operation, Policy, Request
from casemate.policy.evaluate import PolicySet
from casemate.sources import requests

Object = dict[str, object]
Namespaces = Mapping[str, dict[str, str]]

NAME: Final = "casemate-probe"
_IMAGE: Final = "registry.invalid/casemate-probe"
_MOST_CLASSES: Final = 16
_MOST_NAMESPACES: Final = 5
_NEARLY_ALL_WRONG: Final[Object] = {
    "allowPrivilegeEscalation": True,
    "runAsUser": 0,
    "seccompProfile": {"type": "Unconfined"},
}
_PRIVILEGED: Final[Object] = {"privileged": True}  # Apart: an API server may refuse it by itself.
_SIDE_DOORS: Final = {"io.katacontainers.config.hypervisor.path": "/bin/true", "dev.gvisor.flag.debug": "true"}


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask for, and what has to come of it."""

    policy: str
    rule: str
    namespace: str
    body: Object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unprobed:
    """A policy that cannot be probed, and why."""

    policy: str
    why: str


@dataclass(frozen=True, slots=True)
class Asker:
    """As whom a probe comes, and what kind of object it makes."""

    user: str
    groups: tuple[str, ...] = ()
    kind: str = "PodTemplate"


def probes(
    standing: Standing, namespaces: Namespaces, asker: Asker, now: datetime.datetime
) -> Iterator[Probe | Unprobed]:
    """The probes of each policy that enforces, as the asker would ask."""
    policies = standing.policies
    for policy in (each.document for each in policies.policies):
        if policy.spec.mode is Mode.ENFORCE:
            why = _unreachable(policy.spec.match, asker)
            found = [] if why else list(_of_policy(policies, policy, namespaces, asker, now))
            yield from found
            if not found:
                yield Unprobed(policy.title, why or "no Pod that is tried is denied in any namespace")


def _unreachable(match: Match, asker: Asker) -> str:
    if match.users or match.groups:
        return "it is about users or groups"
    return "" if not match.kinds or asker.kind in match.kinds else f"it is about {', '.join(match.kinds)}"


def _of_policy(
    policies: PolicySet, policy: Policy, namespaces: Namespaces, asker: Asker, now: datetime.datetime
) -> Iterator[Probe]:
    """One probe for each rule, in the first namespace where the policy denies anything."""
    for name in islice(_names(policy, namespaces), _MOST_NAMESPACES):
        found: dict[str, Probe] = {}
        for body in _bodies(policies, policy.spec.match, name, asker.kind):
            for rule in _rules(policies, policy, _request(body, name, namespaces.get(name), asker), now):
                found.setdefault(rule, Probe(policy.title, rule, name, body))
        yield from found.values()
        if found:
            return


def _names(policy: Policy, namespaces: Namespaces) -> Iterable[str]:
    """The namespaces that may match, in order; whether one does the evaluator says."""
    if policy.namespace:
        return [policy.namespace]
    match = policy.spec.match.namespaces
    names = [each for each in sorted(namespaces) if not match or not match.names or each in match.names]
    if match and match.labels:
        names = [each for each in names if match.labels.items() <= namespaces[each].items()]
    return names


def _rules(policies: PolicySet, policy: Policy, request: Request, now: datetime.datetime) -> set[str]:
    verdict = policies.evaluate(request, now)
    if verdict.decision is not Decision.DENY:
        return set()
    return {str(each.rule) for each in deciding(verdict) if each.policy == policy.title}


def _request(body: Object, namespace: str, labels: dict[str, str] | None, asker: Asker) -> Request:
    (workload,) = requests.workloads(body, namespace)
    return Request(
        workload=workload, operation=Operation.CREATE, namespace_labels=labels, user=asker.user, groups=asker.groups
    )


def _bodies(policies: PolicySet, match: Match, namespace: str, kind: str) -> Iterator[Object]:
    """Pods that match, each with something that a policy may be against."""
    classes = ["", NAME, *policies.classes.names[:_MOST_CLASSES]]
    for each in classes:
        yield _body(kind, match, namespace, each)
    for wrong in (_NEARLY_ALL_WRONG, _PRIVILEGED):
        for each in classes:
            yield _body(kind, match, namespace, each, wrong)


def _body(kind: str, match: Match, namespace: str, runtime_class: str, wrong: Object | None = None) -> Object:
    container: Object = {"name": "probe", "image": _image(match)}
    spec: Object = {"containers": [container]}
    meta: Object = {"labels": dict(match.podLabels)}
    if runtime_class:
        spec["runtimeClassName"] = runtime_class
    if account := _account(match, namespace):
        spec["serviceAccountName"] = account
    if wrong:
        container["securityContext"] = wrong
        spec["hostNetwork"] = True
        meta["annotations"] = _SIDE_DOORS
    own = {"name": NAME, "namespace": namespace}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": meta | own, "spec": spec}
    return {"apiVersion": "v1", "kind": kind, "metadata": own, "template": {"metadata": meta, "spec": spec}}


def _image(match: Match) -> str:
    if not match.images:
        return _IMAGE
    return match.images[0].replace("**", NAME)


def _account(match: Match, namespace: str) -> str:
    for each in match.serviceAccounts:
        place, _, name = each.rpartition("/")
        if place in ("", namespace):
            return name
    return ""
