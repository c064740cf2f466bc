"""Objects that Pods refer to: configuration, services, identities, claims, namespaces, runtime classes.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.meta import LocalObjectReference, ObjectMeta, ObjectReference
from casemate.model.kube.scheduling import Toleration
from casemate.model.kube.struct import IntOrString, KubeStruct, Quantity
from casemate.model.kube.volumes import PersistentVolumeClaimSpec


class ConfigMap(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    binaryData: dict[str, str] = {}
    data: dict[str, str] = {}
    immutable: bool | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None


class Secret(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    data: dict[str, str] = {}
    immutable: bool | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    stringData: dict[str, str] = {}
    type: str | None = None


class PersistentVolumeClaim(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: PersistentVolumeClaimSpec | None = None
    status: dict[str, object] | None = None


class ServicePort(KubeStruct, frozen=True, kw_only=True):
    port: int
    appProtocol: str | None = None
    name: str | None = None
    nodePort: int | None = None
    protocol: str | None = None
    targetPort: IntOrString | None = None


class ClientIPConfig(KubeStruct, frozen=True, kw_only=True):
    timeoutSeconds: int | None = None


class SessionAffinityConfig(KubeStruct, frozen=True, kw_only=True):
    clientIP: ClientIPConfig | None = None


class ServiceSpec(KubeStruct, frozen=True, kw_only=True):
    allocateLoadBalancerNodePorts: bool | None = None
    clusterIP: str | None = None
    clusterIPs: tuple[str, ...] = ()
    externalIPs: tuple[str, ...] = ()
    externalName: str | None = None
    externalTrafficPolicy: str | None = None
    healthCheckNodePort: int | None = None
    internalTrafficPolicy: str | None = None
    ipFamilies: tuple[str, ...] = ()
    ipFamilyPolicy: str | None = None
    loadBalancerClass: str | None = None
    loadBalancerIP: str | None = None
    loadBalancerSourceRanges: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    publishNotReadyAddresses: bool | None = None
    selector: dict[str, str] = {}
    sessionAffinity: str | None = None
    sessionAffinityConfig: SessionAffinityConfig | None = None
    trafficDistribution: str | None = None
    type: str | None = None


class Service(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: ServiceSpec | None = None
    status: dict[str, object] | None = None


class ServiceAccount(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    automountServiceAccountToken: bool | None = None
    imagePullSecrets: tuple[LocalObjectReference, ...] = ()
    kind: str | None = None
    metadata: ObjectMeta | None = None
    secrets: tuple[ObjectReference, ...] = ()


class NamespaceSpec(KubeStruct, frozen=True, kw_only=True):
    finalizers: tuple[str, ...] = ()


class Namespace(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: NamespaceSpec | None = None
    status: dict[str, object] | None = None


class Overhead(KubeStruct, frozen=True, kw_only=True):
    podFixed: dict[str, Quantity] = {}


class Scheduling(KubeStruct, frozen=True, kw_only=True):
    nodeSelector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()


class RuntimeClass(KubeStruct, frozen=True, kw_only=True):
    handler: str
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None
