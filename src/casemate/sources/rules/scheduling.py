"""Where a Pod may be placed: tolerations and the terms of affinity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from casemate.model.kube.meta import LabelSelector
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.scheduling import Affinity, NodeSelectorTerm, PodAffinityTerm, Toleration
from casemate.sources.rules import formats as f
from casemate.sources.rules.labels import check_selector
from casemate.sources.rules.place import Place

_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def check_scheduling(spec: PodSpec, place: Place) -> None:
    """All that a scheduler would read."""
    check_tolerations(spec.tolerations, place.at("tolerations"))
    for index, constraint in enumerate(spec.topologySpreadConstraints):
        _check_optional(constraint.labelSelector, place.at("topologySpreadConstraints", index, "labelSelector"))
    if spec.affinity:
        _check_affinity(spec.affinity, place.at("affinity"))


def check_tolerations(tolerations: Iterable[Toleration], place: Place) -> None:
    """Tolerations of a Pod or of a RuntimeClass."""
    for index, toleration in enumerate(tolerations):
        _check_toleration(toleration, place.at(index))


def _check_affinity(affinity: Affinity, place: Place) -> None:
    if affinity.nodeAffinity:
        for term, here in _node_terms(affinity, place.at("nodeAffinity")):
            for index, requirement in enumerate(term.matchExpressions):
                if requirement.operator in ("In", "NotIn"):
                    below = here.at("matchExpressions", index, "values")
                    below.require(requirement.values, f"{requirement.operator} needs at least one")
    for field in ("podAffinity", "podAntiAffinity"):
        for each, here in _pod_terms(affinity, field, place.at(field)):
            _check_optional(each.labelSelector, here.at("labelSelector"))
            _check_optional(each.namespaceSelector, here.at("namespaceSelector"))


def _node_terms(affinity: Affinity, place: Place) -> Iterator[tuple[NodeSelectorTerm, Place]]:
    node = affinity.nodeAffinity
    if node is None:
        return
    required = node.requiredDuringSchedulingIgnoredDuringExecution
    if required:
        here = place.at(_REQUIRED, "nodeSelectorTerms")
        here.require(required.nodeSelectorTerms)
        yield from ((term, here.at(index)) for index, term in enumerate(required.nodeSelectorTerms))
    for index, each in enumerate(node.preferredDuringSchedulingIgnoredDuringExecution):
        yield each.preference, place.at(_PREFERRED, index, "preference")


def _pod_terms(affinity: Affinity, field: str, place: Place) -> Iterator[tuple[PodAffinityTerm, Place]]:
    pod = affinity.podAffinity if field == "podAffinity" else affinity.podAntiAffinity
    if pod is None:
        return
    for index, term in enumerate(pod.requiredDuringSchedulingIgnoredDuringExecution):
        yield term, place.at(_REQUIRED, index)
    for index, each in enumerate(pod.preferredDuringSchedulingIgnoredDuringExecution):
        yield each.podAffinityTerm, place.at(_PREFERRED, index, "podAffinityTerm")


def _check_optional(selector: LabelSelector | None, place: Place) -> None:
    if selector:
        check_selector(selector, place)


def _check_toleration(toleration: Toleration, place: Place) -> None:
    operator = toleration.operator or "Equal"
    if not toleration.key and operator != "Exists":
        place.at("operator").note("must be Exists when key is empty, which tolerates all taints")
    if operator == "Exists" and toleration.value:
        place.at("value").note("must be empty when operator is Exists")
    if operator == "Equal" and toleration.value:
        place.at("value").check(toleration.value, f.label_value)
    if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
        place.at("effect").note("must be NoExecute when tolerationSeconds is set")
