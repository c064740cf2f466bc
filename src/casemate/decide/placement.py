"""Where a Pod may land, as far as rules ask.

1. A pool of nodes is dedicated when something beyond operating system, architecture and host name binds the Pod to it,
   or when it tolerates a taint that is not one of Kubernetes' own.
2. A toleration without a key tolerates every taint; it binds to nothing.
3. A node fits when it has all labels of the Pod's and its class's node selector, and `nodeName` is unset or its own.
   Affinity and taints can only take nodes away; they are not weighed, so that no weak node is overlooked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from casemate.decide.facts import Facts
from casemate.model.kube.pod import PodSpec
from casemate.model.surroundings import Node

_PLATFORM: Final = frozenset(
    {
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
    }
)
_OWN_TAINTS: Final = ("node.kubernetes.io/", "node-role.kubernetes.io/", "node.cloudprovider.kubernetes.io/")


def note(facts: Facts, spec: PodSpec) -> None:
    """Note what the Pod says of its place."""
    if spec.nodeName:
        facts.mark("node-name", "nodeName")
    for key, text in spec.nodeSelector.items():
        facts.value("node-selector", f"{key}={text}", f"nodeSelector.{key}")
    for index, toleration in enumerate(spec.tolerations):
        facts.value("tolerates", toleration.key or "", f"tolerations[{index}]")
    if place := _dedicated(spec):
        facts.mark("dedicated-nodes", place)
    if (spec.os and spec.os.name == "windows") or spec.nodeSelector.get("kubernetes.io/os") == "windows":
        facts.mark("windows", "os.name")


def _dedicated(spec: PodSpec) -> str:
    if not _PLATFORM.issuperset(spec.nodeSelector):
        return "nodeSelector"
    for index, toleration in enumerate(spec.tolerations):
        if toleration.key and not toleration.key.startswith(_OWN_TAINTS):
            return f"tolerations[{index}]"
    nodes = spec.affinity.nodeAffinity if spec.affinity else None
    required = nodes.requiredDuringSchedulingIgnoredDuringExecution if nodes else None
    for term in required.nodeSelectorTerms if required else ():
        if any(each.key not in _PLATFORM for each in term.matchExpressions):
            return "affinity.nodeAffinity"
    return ""


def fits(node: Node, spec: PodSpec, selector: Mapping[str, str]) -> bool:
    """Whether the Pod can land on the node. `selector` is that of its RuntimeClass."""
    if spec.nodeName:
        return spec.nodeName == node.name
    labels = node.labels.items()
    return spec.nodeSelector.items() <= labels and selector.items() <= labels
