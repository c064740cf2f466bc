"""Everything that one run was given, decoded and sorted by kind."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import msgspec

from casemate.model.kube.objects import (
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    RuntimeClass,
    Secret,
    Service,
    ServiceAccount,
)
from casemate.model.kube.workloads import CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet

Workload: TypeAlias = Pod | Deployment | ReplicaSet | StatefulSet | DaemonSet | Job | CronJob
KubeObject: TypeAlias = (
    Workload | ConfigMap | Secret | PersistentVolumeClaim | Service | ServiceAccount | Namespace | RuntimeClass
)

_Named = TypeVar("_Named", ConfigMap, Secret, PersistentVolumeClaim, ServiceAccount)


class Inventory(msgspec.Struct, frozen=True, omit_defaults=True):
    """Decoded objects by kind. Every namespaced object carries its namespace (`default` when it was unset)."""

    pods: tuple[Pod, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    replica_sets: tuple[ReplicaSet, ...] = ()
    stateful_sets: tuple[StatefulSet, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    jobs: tuple[Job, ...] = ()
    cron_jobs: tuple[CronJob, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    secrets: tuple[Secret, ...] = ()
    claims: tuple[PersistentVolumeClaim, ...] = ()
    services: tuple[Service, ...] = ()
    service_accounts: tuple[ServiceAccount, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    runtime_classes: tuple[RuntimeClass, ...] = ()

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """The ConfigMap of that name, or None."""
        return _find(self.config_maps, namespace, name)

    def secret(self, namespace: str, name: str) -> Secret | None:
        """The Secret of that name, or None."""
        return _find(self.secrets, namespace, name)

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """The PersistentVolumeClaim of that name, or None."""
        return _find(self.claims, namespace, name)

    def service_account(self, namespace: str, name: str) -> ServiceAccount | None:
        """The ServiceAccount of that name, or None."""
        return _find(self.service_accounts, namespace, name)

    def runtime_class(self, name: str) -> RuntimeClass | None:
        """The RuntimeClass of that name, or None. RuntimeClasses have no namespace."""
        return next((each for each in self.runtime_classes if each.metadata and each.metadata.name == name), None)


def _find(objects: tuple[_Named, ...], namespace: str, name: str) -> _Named | None:
    for each in objects:
        if each.metadata and each.metadata.name == name and each.metadata.namespace == namespace:
            return each
    return None
