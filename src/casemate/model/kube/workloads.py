"""Pods and the workload objects that make them.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.meta import LabelSelector, ObjectMeta
from casemate.model.kube.objects import PersistentVolumeClaim
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.struct import IntOrString, KubeStruct


class Pod(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None
    status: dict[str, object] | None = None


class PodTemplateSpec(KubeStruct, frozen=True, kw_only=True):
    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None


class RollingUpdateDeployment(KubeStruct, frozen=True, kw_only=True):
    maxSurge: IntOrString | None = None
    maxUnavailable: IntOrString | None = None


class DeploymentStrategy(KubeStruct, frozen=True, kw_only=True):
    rollingUpdate: RollingUpdateDeployment | None = None
    type: str | None = None


class DeploymentSpec(KubeStruct, frozen=True, kw_only=True):
    selector: LabelSelector
    template: PodTemplateSpec
    minReadySeconds: int | None = None
    paused: bool | None = None
    progressDeadlineSeconds: int | None = None
    replicas: int | None = None
    revisionHistoryLimit: int | None = None
    strategy: DeploymentStrategy | None = None


class Deployment(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: DeploymentSpec | None = None
    status: dict[str, object] | None = None


class ReplicaSetSpec(KubeStruct, frozen=True, kw_only=True):
    selector: LabelSelector
    minReadySeconds: int | None = None
    replicas: int | None = None
    template: PodTemplateSpec | None = None


class ReplicaSet(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: ReplicaSetSpec | None = None
    status: dict[str, object] | None = None


class StatefulSetOrdinals(KubeStruct, frozen=True, kw_only=True):
    start: int | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(KubeStruct, frozen=True, kw_only=True):
    whenDeleted: str | None = None
    whenScaled: str | None = None


class RollingUpdateStatefulSetStrategy(KubeStruct, frozen=True, kw_only=True):
    maxUnavailable: IntOrString | None = None
    partition: int | None = None


class StatefulSetUpdateStrategy(KubeStruct, frozen=True, kw_only=True):
    rollingUpdate: RollingUpdateStatefulSetStrategy | None = None
    type: str | None = None


class StatefulSetSpec(KubeStruct, frozen=True, kw_only=True):
    selector: LabelSelector
    template: PodTemplateSpec
    minReadySeconds: int | None = None
    ordinals: StatefulSetOrdinals | None = None
    persistentVolumeClaimRetentionPolicy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    podManagementPolicy: str | None = None
    replicas: int | None = None
    revisionHistoryLimit: int | None = None
    serviceName: str | None = None
    updateStrategy: StatefulSetUpdateStrategy | None = None
    volumeClaimTemplates: tuple[PersistentVolumeClaim, ...] = ()


class StatefulSet(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: StatefulSetSpec | None = None
    status: dict[str, object] | None = None


class RollingUpdateDaemonSet(KubeStruct, frozen=True, kw_only=True):
    maxSurge: IntOrString | None = None
    maxUnavailable: IntOrString | None = None


class DaemonSetUpdateStrategy(KubeStruct, frozen=True, kw_only=True):
    rollingUpdate: RollingUpdateDaemonSet | None = None
    type: str | None = None


class DaemonSetSpec(KubeStruct, frozen=True, kw_only=True):
    selector: LabelSelector
    template: PodTemplateSpec
    minReadySeconds: int | None = None
    revisionHistoryLimit: int | None = None
    updateStrategy: DaemonSetUpdateStrategy | None = None


class DaemonSet(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: DaemonSetSpec | None = None
    status: dict[str, object] | None = None


class PodFailurePolicyOnExitCodesRequirement(KubeStruct, frozen=True, kw_only=True):
    operator: str
    values: tuple[int, ...]
    containerName: str | None = None


class PodFailurePolicyOnPodConditionsPattern(KubeStruct, frozen=True, kw_only=True):
    type: str
    status: str | None = None


class PodFailurePolicyRule(KubeStruct, frozen=True, kw_only=True):
    action: str
    onExitCodes: PodFailurePolicyOnExitCodesRequirement | None = None
    onPodConditions: tuple[PodFailurePolicyOnPodConditionsPattern, ...] = ()


class PodFailurePolicy(KubeStruct, frozen=True, kw_only=True):
    rules: tuple[PodFailurePolicyRule, ...]


class SuccessPolicyRule(KubeStruct, frozen=True, kw_only=True):
    succeededCount: int | None = None
    succeededIndexes: str | None = None


class SuccessPolicy(KubeStruct, frozen=True, kw_only=True):
    rules: tuple[SuccessPolicyRule, ...]


class JobSpec(KubeStruct, frozen=True, kw_only=True):
    template: PodTemplateSpec
    activeDeadlineSeconds: int | None = None
    backoffLimit: int | None = None
    backoffLimitPerIndex: int | None = None
    completionMode: str | None = None
    completions: int | None = None
    managedBy: str | None = None
    manualSelector: bool | None = None
    maxFailedIndexes: int | None = None
    parallelism: int | None = None
    podFailurePolicy: PodFailurePolicy | None = None
    podReplacementPolicy: str | None = None
    selector: LabelSelector | None = None
    successPolicy: SuccessPolicy | None = None
    suspend: bool | None = None
    ttlSecondsAfterFinished: int | None = None


class Job(KubeStruct, frozen=True, kw_only=True):
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: JobSpec | None = None
    status: dict[str, object] | None = None


class JobTemplateSpec(KubeStruct, frozen=True, kw_only=True):
    metadata: ObjectMeta | None = None
    spec: JobSpec | None = None


class CronJobSpec(KubeStruct, frozen=True, kw_only=True):
    jobTemplate: JobTemplateSpec
    schedule: str
    concurrencyPolicy: str | None = None
    failedJobsHistoryLimit: int | None = None
    startingDeadlineSeconds: int | None = None
    successfulJobsHistoryLimit: int | None = None
    suspend: bool | None = None
    timeZone: str | None = None


class CronJob(KubeStruct, frozen=True, kw_only=True):
    spec: CronJobSpec
    apiVersion: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    status: dict[str, object] | None = None
