"""Where a Pod may be placed. One machine has one place; these fields are read and reported.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.meta import LabelSelector
from casemate.model.kube.struct import KubeStruct


class NodeSelectorRequirement(KubeStruct, frozen=True, kw_only=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(KubeStruct, frozen=True, kw_only=True):
    matchExpressions: tuple[NodeSelectorRequirement, ...] = ()
    matchFields: tuple[NodeSelectorRequirement, ...] = ()


class PreferredSchedulingTerm(KubeStruct, frozen=True, kw_only=True):
    preference: NodeSelectorTerm
    weight: int


class NodeSelector(KubeStruct, frozen=True, kw_only=True):
    nodeSelectorTerms: tuple[NodeSelectorTerm, ...]


class NodeAffinity(KubeStruct, frozen=True, kw_only=True):
    preferredDuringSchedulingIgnoredDuringExecution: tuple[PreferredSchedulingTerm, ...] = ()
    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = None


class PodAffinityTerm(KubeStruct, frozen=True, kw_only=True):
    topologyKey: str
    labelSelector: LabelSelector | None = None
    matchLabelKeys: tuple[str, ...] = ()
    mismatchLabelKeys: tuple[str, ...] = ()
    namespaceSelector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()


class WeightedPodAffinityTerm(KubeStruct, frozen=True, kw_only=True):
    podAffinityTerm: PodAffinityTerm
    weight: int


class PodAffinity(KubeStruct, frozen=True, kw_only=True):
    preferredDuringSchedulingIgnoredDuringExecution: tuple[WeightedPodAffinityTerm, ...] = ()
    requiredDuringSchedulingIgnoredDuringExecution: tuple[PodAffinityTerm, ...] = ()


class PodAntiAffinity(KubeStruct, frozen=True, kw_only=True):
    preferredDuringSchedulingIgnoredDuringExecution: tuple[WeightedPodAffinityTerm, ...] = ()
    requiredDuringSchedulingIgnoredDuringExecution: tuple[PodAffinityTerm, ...] = ()


class Affinity(KubeStruct, frozen=True, kw_only=True):
    nodeAffinity: NodeAffinity | None = None
    podAffinity: PodAffinity | None = None
    podAntiAffinity: PodAntiAffinity | None = None


class PodOS(KubeStruct, frozen=True, kw_only=True):
    name: str


class PodSchedulingGate(KubeStruct, frozen=True, kw_only=True):
    name: str


class PodSchedulingGroup(KubeStruct, frozen=True, kw_only=True):
    podGroupName: str | None = None


class Toleration(KubeStruct, frozen=True, kw_only=True):
    effect: str | None = None
    key: str | None = None
    operator: str | None = None
    tolerationSeconds: int | None = None
    value: str | None = None


class TopologySpreadConstraint(KubeStruct, frozen=True, kw_only=True):
    maxSkew: int
    topologyKey: str
    whenUnsatisfiable: str
    labelSelector: LabelSelector | None = None
    matchLabelKeys: tuple[str, ...] = ()
    minDomains: int | None = None
    nodeAffinityPolicy: str | None = None
    nodeTaintsPolicy: str | None = None
