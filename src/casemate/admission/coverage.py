"""Whether the API server asks about everything it has to: the configurations, and custom resources.

A custom resource whose schema can hold a Pod template makes Pods that are judged themselves, by whoever makes them. Its
users learn of a denial late, and nothing sets the class in the template: it should be asked about (`kinds`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casemate.admission import webhooks
from casemate.admission.kube import Kube, Object, StatusError
from casemate.sources.definitions import Definition

_PLURALS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


async def gaps(kube: Kube, namespace: str, service: str) -> list[str]:
    """What the configurations of the cluster lack."""
    lacks: list[str] = []
    for plural, expected in zip(_PLURALS, webhooks.configurations(namespace, service), strict=True):
        try:
            found = await kube.get(f"/apis/admissionregistration.k8s.io/v1/{plural}/{webhooks.NAME}")
        except StatusError as error:
            lacks.append(f"{plural}: {error.message}")
        else:
            lacks += [f"{plural}: {each}" for each in webhooks.gaps(expected, found)]
    return lacks


class _Defined(msgspec.Struct):
    spec: Definition


async def unasked(kube: Kube) -> list[str]:
    """Custom resources with Pod templates that `/validate` is not asked about, as `group/version/resources`."""
    path = f"/apis/admissionregistration.k8s.io/v1/{_PLURALS[1]}/{webhooks.NAME}"
    try:
        asked = asked_about(await kube.get(path))
    except StatusError:
        asked = []  # a gap, which `gaps` tells
    found: list[str] = []
    async for page in kube.pages("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"):
        for raw in page.items or ():
            spec = msgspec.json.decode(raw, type=_Defined).spec
            version = spec.with_pods
            if version and not _is_in(asked, spec.group, spec.names.plural):
                found.append(f"{spec.group}/{version.name}/{spec.names.plural}")
    return sorted(found)


def asked_about(configuration: Object) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Groups and resources of all rules of a configuration."""
    found: list[tuple[Sequence[str], Sequence[str]]] = []
    listed = configuration.get("webhooks")
    for webhook in listed if isinstance(listed, list) else ():
        rules = webhook.get("rules") if isinstance(webhook, dict) else None
        found += [
            (each.get("apiGroups", ()), each.get("resources", ())) for each in rules or () if isinstance(each, dict)
        ]
    return found


def _is_in(asked: list[tuple[Sequence[str], Sequence[str]]], group: str, plural: str) -> bool:
    return any(
        (group in groups or "*" in groups) and (plural in resources or "*" in resources or "*/*" in resources)
        for groups, resources in asked
    )
