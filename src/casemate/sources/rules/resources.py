"""Requests and limits."""

from __future__ import annotations

from collections.abc import Mapping

from casemate.errors import InputError
from casemate.model import quantity
from casemate.model.kube.container import ResourceRequirements
from casemate.model.kube.struct import Quantity
from casemate.sources.rules import formats as f
from casemate.sources.rules.place import Place

CONTAINER_RESOURCES = ("cpu", "memory", "ephemeral-storage")
POD_RESOURCES = ("cpu", "memory")
HUGEPAGES = "hugepages-"


def check_resources(resources: ResourceRequirements, place: Place, standard: tuple[str, ...]) -> None:
    """Names and quantities; a request is not above its limit, and equal to it where memory cannot be overcommitted.

    `standard` are the names that need no domain, besides hugepages.
    """
    limits = check_amounts(resources.limits, place.at("limits"), standard)
    requests = check_amounts(resources.requests, place.at("requests"), standard)
    for name, requested in requests.items():
        here = place.at("requests", name)
        limit = limits.get(name)
        if limit is None:
            if not _may_overcommit(name) and name not in resources.limits:
                here.note(f"{name} has no limit, and cannot be overcommitted", f"set limits.{name} to the same amount")
        elif requested > limit:
            here.note(f"{resources.requests[name]} is more than the limit of {resources.limits[name]}")
        elif requested != limit and not _may_overcommit(name):
            here.note(f"{resources.requests[name]} must equal the limit of {resources.limits[name]}")
    named = resources.limits.keys() | resources.requests.keys()
    if any(each.startswith(HUGEPAGES) for each in named) and not named & {"cpu", "memory"}:
        place.note("hugepages need a request or limit of cpu or memory too")


def check_amounts(
    amounts: Mapping[str, Quantity], place: Place, standard: tuple[str, ...] = CONTAINER_RESOURCES
) -> dict[str, float]:
    """Names and quantities of one mapping. Returns those that are well formed, as numbers."""
    good: dict[str, float] = {}
    for name, amount in amounts.items():
        wrong = _wrong_name(name, standard) or f.not_negative_quantity(amount) or _wrong_granule(name, amount)
        if wrong:
            place.at(name).note(wrong)
        else:
            good[name] = float(quantity.parse(amount))
    return good


def _wrong_name(name: str, standard: tuple[str, ...]) -> str:
    wrong = f.qualified_name(name)
    if wrong or name in standard or name.startswith(HUGEPAGES):
        return wrong
    if "/" not in name:
        return f"{name} is none of {', '.join(standard)}, and has no domain as in example.com/device"
    return "" if standard == CONTAINER_RESOURCES else f"{name} cannot be set for a whole Pod"


def _wrong_granule(name: str, amount: Quantity) -> str:
    value = quantity.parse(amount)
    if name.startswith(HUGEPAGES):
        try:
            page = quantity.parse(name.removeprefix(HUGEPAGES))
        except InputError:
            return f"{name} names no page size"
        return "" if page > 0 and value % page == 0 else f"{amount} is no multiple of the page size"
    if "/" in name and value % 1:
        return f"{amount} must be a whole number"
    return ""


def _may_overcommit(name: str) -> bool:
    return name in CONTAINER_RESOURCES
