"""Play the bypass corpus against the evaluator, as the webhook would be asked. Pure.

1. A try becomes the AdmissionRequest that the API server would send; what only an API server can show is left out.
2. A body that no AdmissionRequest could carry is refused before anyone judges it, and counts as denied.
3. A try passed when the decision is the expected one, the denial gives the expected rule, and the class that then
   stands in every template is the expected one.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

import msgspec

from casemate.admission.judge import Standing, judge
from casemate.admission.review import AdmissionRequest, Resource, UserInfo
from casemate.catalogue.tables import Catalogue
from casemate.errors import InputError
from casemate.model.corpus import Corpus, Object, Played, Try
from casemate.model.policy import Decision, PolicySettings, Verdict
from casemate.policy.evaluate import PolicySet
from casemate.sources import requests

CLUSTER_WIDE: Final = (
    "Namespace",
    "RuntimeClass",
    "IsolationPolicy",
    "IsolationException",
    "ClusterRole",
    "ClusterRoleBinding",
)
"""Kinds of the corpus that are in no namespace."""


def replay(corpus: Corpus, catalogue: Catalogue, settings: PolicySettings) -> Iterator[Played]:
    """Every try that needs no API server, with what the evaluator says of it."""
    sets: dict[tuple[str, ...], PolicySet] = {}
    for each in corpus.tries:
        if each.api:
            continue
        if each.policies not in sets:
            sets[each.policies] = _policies(corpus, each.policies, catalogue, settings)
        yield _played(each, sets[each.policies], corpus)


def _policies(corpus: Corpus, names: tuple[str, ...], catalogue: Catalogue, settings: PolicySettings) -> PolicySet:
    forces = [corpus.policies[name] for name in names]
    return PolicySet(
        [policy for each in forces for policy in each.policies],
        [exception for each in forces for exception in each.exceptions],
        corpus.surroundings,
        catalogue,
        settings,
    )


def _played(each: Try, policies: PolicySet, corpus: Corpus) -> Played:
    try:
        value = msgspec.json.decode(each.body, type=Object)
    except msgspec.DecodeError as error:
        return Played(attempt=each, decision=Decision.DENY, message=str(error))
    request = admission_request(each, value)
    labels = corpus.surroundings.namespaces.get(each.namespace)
    now = datetime.datetime.fromisoformat(each.clock)
    verdict = judge(Standing(policies=policies), request, labels, now)
    return Played(
        attempt=each,
        decision=verdict.decision,
        rules=tuple(dict.fromkeys(str(reason.rule) for reason in verdict.reasons)),
        message="; ".join(reason.message for reason in verdict.reasons),
        class_name=_class_after(value, each.namespace, verdict) if each.class_name is not None else None,
    )


def admission_request(each: Try, value: Object) -> AdmissionRequest:
    """What the API server would ask a webhook about a try."""
    kind, version = str(value.get("kind")), str(value.get("apiVersion"))
    group, _, release = version.rpartition("/")
    metadata = value.get("metadata")
    return AdmissionRequest(
        uid=each.id,
        resource=Resource(group=group, version=release, resource=resource_of(kind)),
        operation=str(each.operation),
        sub_resource=each.subresource,
        name=str(metadata.get("name", "")) if isinstance(metadata, dict) else "",
        namespace="" if kind in CLUSTER_WIDE else each.namespace,
        user_info=UserInfo(each.user, each.groups),
        new=value,
        old=each.old,
    )


def resource_of(kind: str) -> str:
    """The name of a kind's resource in the API's paths."""
    if kind.endswith("y"):
        return f"{kind.lower()[:-1]}ies"
    return f"{kind.lower()}es" if kind.endswith("s") else f"{kind.lower()}s"


def _class_after(value: Object, namespace: str, verdict: Verdict) -> str | None:
    """The class that stands in the templates, None where they differ."""
    written = {each.value for each in verdict.patch if each.path.endswith("/runtimeClassName")}
    try:
        named = {each.spec.runtimeClassName or "" for each in requests.workloads(value, namespace)}
    except InputError:
        return None
    found = written or named
    return str(next(iter(found))) if len(found) == 1 else None
