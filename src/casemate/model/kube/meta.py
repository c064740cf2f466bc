"""Metadata, selectors and references that every Kubernetes object shares.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.struct import KubeStruct, Quantity


class OwnerReference(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str
    kind: str
    name: str
    uid: str
    blockOwnerDeletion: bool | None = None
    controller: bool | None = None


class ObjectMeta(KubeStruct, frozen=True, kw_only=True):
    annotations: dict[str, str] = {}
    creationTimestamp: str | None = None
    deletionGracePeriodSeconds: int | None = None
    deletionTimestamp: str | None = None
    finalizers: tuple[str, ...] = ()
    generateName: str | None = None
    generation: int | None = None
    labels: dict[str, str] = {}
    managedFields: tuple[dict[str, object], ...] = ()
    name: str | None = None
    namespace: str | None = None
    ownerReferences: tuple[OwnerReference, ...] = ()
    resourceVersion: str | None = None
    selfLink: str | None = None
    uid: str | None = None


class ObjectFieldSelector(KubeStruct, frozen=True, kw_only=True):
    fieldPath: str
    apiVersion: str | None = None


class ResourceFieldSelector(KubeStruct, frozen=True, kw_only=True):
    resource: str
    containerName: str | None = None
    divisor: Quantity | None = None


class LabelSelectorRequirement(KubeStruct, frozen=True, kw_only=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(KubeStruct, frozen=True, kw_only=True):
    matchExpressions: tuple[LabelSelectorRequirement, ...] = ()
    matchLabels: dict[str, str] = {}


class LocalObjectReference(KubeStruct, frozen=True, kw_only=True):
    name: str | None = None


class ObjectReference(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    fieldPath: str | None = None
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    resourceVersion: str | None = None
    uid: str | None = None
