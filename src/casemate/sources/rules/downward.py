"""The downward API: which of a Pod's own fields, requests and limits its containers may see."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from casemate.model import quantity
from casemate.model.kube.meta import ObjectFieldSelector, ResourceFieldSelector
from casemate.sources.rules import formats as f
from casemate.sources.rules.place import Place
from casemate.sources.rules.resources import CONTAINER_RESOURCES, HUGEPAGES

ENV_FIELDS: Final = frozenset(
    (
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    )
)
VOLUME_FIELDS: Final = frozenset(
    ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
)
_DIVISORS: Final = frozenset(
    f"1{unit}" for unit in ("", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
)


def check_field(selector: ObjectFieldSelector, known: Collection[str], place: Place) -> None:
    """A field of the Pod that an environment variable or a file may show."""
    path = selector.fieldPath
    if selector.apiVersion not in (None, "", "v1"):
        place.at("apiVersion").note(f'"{selector.apiVersion}" must be v1')
    field, bracket, key = path.partition("[")
    if not bracket:
        if path not in known:
            place.at("fieldPath").note(f'"{path}" must be one of {", ".join(sorted(known))}')
        return
    quoted = key.removesuffix("]")
    inner = quoted[1:-1]
    if field not in ("metadata.labels", "metadata.annotations") or f"'{inner}']" != key:
        example = "metadata.labels['app']"
        place.at("fieldPath").note(f'"{path}" is no field with a key', f"write it as {example}")
        return
    place.at("fieldPath").check(inner, f.annotation_key if field.endswith("annotations") else f.qualified_name)


def check_resource_field(selector: ResourceFieldSelector, place: Place) -> None:
    """A request or limit that an environment variable or a file may show."""
    kind, _, name = selector.resource.partition(".")
    if kind not in ("limits", "requests") or not (name in CONTAINER_RESOURCES or name.startswith(HUGEPAGES)):
        names = ", ".join(f"{kind}.{each}" for kind in ("limits", "requests") for each in CONTAINER_RESOURCES)
        place.at("resource").note(f'"{selector.resource}" must be one of {names}')
    if selector.divisor is None:
        return
    wrong = f.not_negative_quantity(selector.divisor)
    allowed = ("1", "1m") if name == "cpu" else _DIVISORS
    values = {quantity.parse(each) for each in allowed} | {quantity.parse(0)}
    if not wrong and quantity.parse(selector.divisor) not in values:
        wrong = f"{selector.divisor} must be one of {', '.join(sorted(allowed))}"
    if wrong:
        place.at("divisor").note(wrong)
