"""Everything that one run was given, decoded and sorted by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import msgspec

from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import (
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    RuntimeClass,
    Secret,
    Service,
    ServiceAccount,
)
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.workloads import (
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    Pod,
    PodTemplateSpec,
    ReplicaSet,
    StatefulSet,
)

WorkloadObject: TypeAlias = Pod | Deployment | ReplicaSet | StatefulSet | DaemonSet | Job | CronJob
KubeObject: TypeAlias = (
    WorkloadObject | ConfigMap | Secret | PersistentVolumeClaim | Service | ServiceAccount | Namespace | RuntimeClass
)

_Set: TypeAlias = Deployment | ReplicaSet | StatefulSet | DaemonSet
_Templated = TypeVar("_Templated", Deployment, ReplicaSet, StatefulSet, DaemonSet, Job)
_Named = TypeVar("_Named", ConfigMap, Secret, PersistentVolumeClaim, ServiceAccount)


class PodTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod specification with the object that it stands in, and where it stands there (`path`)."""

    workload: WorkloadObject
    kind: str
    namespace: str
    name: str
    path: str
    metadata: ObjectMeta
    spec: PodSpec

    @property
    def title(self) -> str:
        """`Kind namespace/name`, for messages."""
        return f"{self.kind} {self.namespace}/{self.name}"


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

    def pod_templates(self) -> Iterator[PodTemplate]:
        """Every Pod template of the inventory, in the order of its kinds."""
        for pod in self.pods:
            yield _template(pod, pod, "spec")
        sets: tuple[_Set, ...] = (*self.deployments, *self.replica_sets, *self.stateful_sets, *self.daemon_sets)
        for workload in sets:
            yield _template(workload, workload.spec.template if workload.spec else None)
        for job in self.jobs:
            yield _template(job, job.spec.template if job.spec else None)
        for cron in self.cron_jobs:
            made = cron.spec.jobTemplate.spec if cron.spec else None
            yield _template(cron, made.template if made else None, "spec.jobTemplate.spec.template.spec")

    def with_pod_specs(self, change: Callable[[PodTemplate], PodSpec]) -> Inventory:
        """The inventory with every Pod specification replaced by what `change` makes of it."""
        return msgspec.structs.replace(
            self,
            pods=tuple(_changed_pod(each, change) for each in self.pods),
            deployments=tuple(_changed(each, change) for each in self.deployments),
            replica_sets=tuple(_changed(each, change) for each in self.replica_sets),
            stateful_sets=tuple(_changed(each, change) for each in self.stateful_sets),
            daemon_sets=tuple(_changed(each, change) for each in self.daemon_sets),
            jobs=tuple(_changed(each, change) for each in self.jobs),
            cron_jobs=tuple(_changed_cron_job(each, change) for each in self.cron_jobs),
        )

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


def _template(
    workload: WorkloadObject, holder: Pod | PodTemplateSpec | None, path: str = "spec.template.spec"
) -> PodTemplate:
    assert holder is not None  # `sources` refuses workloads without a template
    assert holder.spec is not None
    meta = workload.metadata or ObjectMeta()
    return PodTemplate(
        workload=workload,
        kind=type(workload).__name__,
        namespace=meta.namespace or "default",
        name=meta.name or "",
        path=path,
        metadata=holder.metadata or ObjectMeta(),
        spec=holder.spec,
    )


def _changed_pod(pod: Pod, change: Callable[[PodTemplate], PodSpec]) -> Pod:
    return msgspec.structs.replace(pod, spec=change(_template(pod, pod, "spec")))


def _changed(workload: _Templated, change: Callable[[PodTemplate], PodSpec]) -> _Templated:
    assert workload.spec is not None
    holder = workload.spec.template
    template = msgspec.structs.replace(holder or PodTemplateSpec(), spec=change(_template(workload, holder)))
    return msgspec.structs.replace(workload, spec=msgspec.structs.replace(workload.spec, template=template))


def _changed_cron_job(cron: CronJob, change: Callable[[PodTemplate], PodSpec]) -> CronJob:
    assert cron.spec is not None
    made = cron.spec.jobTemplate.spec
    assert made is not None
    template = msgspec.structs.replace(made.template, spec=change(_template(cron, made.template)))
    job = msgspec.structs.replace(cron.spec.jobTemplate, spec=msgspec.structs.replace(made, template=template))
    return msgspec.structs.replace(cron, spec=msgspec.structs.replace(cron.spec, jobTemplate=job))


def _find(objects: tuple[_Named, ...], namespace: str, name: str) -> _Named | None:
    for each in objects:
        if each.metadata and each.metadata.name == name and each.metadata.namespace == namespace:
            return each
    return None
