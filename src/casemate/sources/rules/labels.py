"""Metadata: names, labels and annotations, and the selectors that match labels."""

from __future__ import annotations

from collections.abc import Mapping

from casemate.model.kube.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta
from casemate.sources.rules import formats as f
from casemate.sources.rules.formats import Rule
from casemate.sources.rules.place import Place

MAX_ANNOTATIONS = 256 << 10


def check_metadata(metadata: ObjectMeta | None, place: Place, name: Rule) -> None:
    """Name and namespace of an object, and what `check_template_metadata` looks at."""
    if metadata is None or not (metadata.name or metadata.generateName):
        place.at("name").note("is missing", "add metadata.name")
    if metadata is None:
        return
    if metadata.name:
        place.at("name").check(metadata.name, name)
    elif metadata.generateName:
        place.at("generateName").check(f"{metadata.generateName.removesuffix('-')}x", name)
    if metadata.namespace:
        place.at("namespace").check(metadata.namespace, f.dns_label)
    check_template_metadata(metadata, place)


def check_template_metadata(metadata: ObjectMeta, place: Place) -> None:
    """Labels and annotations."""
    check_labels(metadata.labels, place.at("labels"))
    for key in metadata.annotations:
        place.at("annotations", key).check(key, f.annotation_key)
    if sum(len(key) + len(value.encode()) for key, value in metadata.annotations.items()) > MAX_ANNOTATIONS:
        place.at("annotations").note(f"annotations are larger than {MAX_ANNOTATIONS >> 10} KiB", "use a ConfigMap")


def check_labels(labels: Mapping[str, str], place: Place) -> None:
    """Keys and values of labels, or of a selector that is a plain mapping."""
    for key, value in labels.items():
        wrong = f.qualified_name(key) or f.label_value(value)
        if wrong:
            place.at(key).note(wrong)


def check_selector(selector: LabelSelector, place: Place) -> None:
    """The parts of a selector."""
    check_labels(selector.matchLabels, place.at("matchLabels"))
    for index, each in enumerate(selector.matchExpressions):
        here = place.at("matchExpressions", index)
        if each.operator in ("In", "NotIn"):
            here.at("values").require(each.values, f"{each.operator} needs at least one")
        elif each.values:
            here.at("values").note(f"{each.operator} takes no values", "remove them")
        for value in each.values:
            here.at("values").check(value, f.label_value)


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy every part of the selector. An empty selector matches everything."""
    exact = all(labels.get(key) == value for key, value in selector.matchLabels.items())
    return exact and all(_meets(each, labels) for each in selector.matchExpressions)


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case _:
            return requirement.key not in labels
