"""The Pod specification.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.container import Container, EphemeralContainer, ResourceRequirements
from casemate.model.kube.meta import LocalObjectReference
from casemate.model.kube.scheduling import (
    Affinity,
    PodOS,
    PodSchedulingGate,
    PodSchedulingGroup,
    Toleration,
    TopologySpreadConstraint,
)
from casemate.model.kube.security import PodSecurityContext
from casemate.model.kube.struct import KubeStruct, Quantity
from casemate.model.kube.volumes import Volume


class PodDNSConfigOption(KubeStruct, frozen=True, kw_only=True):
    name: str | None = None
    value: str | None = None


class PodDNSConfig(KubeStruct, frozen=True, kw_only=True):
    nameservers: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()
    searches: tuple[str, ...] = ()


class HostAlias(KubeStruct, frozen=True, kw_only=True):
    ip: str
    hostnames: tuple[str, ...] = ()


class PodReadinessGate(KubeStruct, frozen=True, kw_only=True):
    conditionType: str


class PodResourceClaim(KubeStruct, frozen=True, kw_only=True):
    name: str
    resourceClaimName: str | None = None
    resourceClaimTemplateName: str | None = None


class PodSpec(KubeStruct, frozen=True, kw_only=True):
    containers: tuple[Container, ...]
    activeDeadlineSeconds: int | None = None
    affinity: Affinity | None = None
    automountServiceAccountToken: bool | None = None
    dnsConfig: PodDNSConfig | None = None
    dnsPolicy: str | None = None
    enableServiceLinks: bool | None = None
    ephemeralContainers: tuple[EphemeralContainer, ...] = ()
    hostAliases: tuple[HostAlias, ...] = ()
    hostIPC: bool | None = None
    hostNetwork: bool | None = None
    hostPID: bool | None = None
    hostUsers: bool | None = None
    hostname: str | None = None
    hostnameOverride: str | None = None
    imagePullSecrets: tuple[LocalObjectReference, ...] = ()
    initContainers: tuple[Container, ...] = ()
    nodeName: str | None = None
    nodeSelector: dict[str, str] = {}
    os: PodOS | None = None
    overhead: dict[str, Quantity] = {}
    preemptionPolicy: str | None = None
    priority: int | None = None
    priorityClassName: str | None = None
    readinessGates: tuple[PodReadinessGate, ...] = ()
    resourceClaims: tuple[PodResourceClaim, ...] = ()
    resources: ResourceRequirements | None = None
    restartPolicy: str | None = None
    runtimeClassName: str | None = None
    schedulerName: str | None = None
    schedulingGates: tuple[PodSchedulingGate, ...] = ()
    schedulingGroup: PodSchedulingGroup | None = None
    securityContext: PodSecurityContext | None = None
    serviceAccount: str | None = None
    serviceAccountName: str | None = None
    setHostnameAsFQDN: bool | None = None
    shareProcessNamespace: bool | None = None
    subdomain: str | None = None
    terminationGracePeriodSeconds: int | None = None
    tolerations: tuple[Toleration, ...] = ()
    topologySpreadConstraints: tuple[TopologySpreadConstraint, ...] = ()
    volumes: tuple[Volume, ...] = ()
