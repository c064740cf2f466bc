"""Containers: command, environment, ports, probes, hooks and resources.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.meta import ObjectFieldSelector, ResourceFieldSelector
from casemate.model.kube.security import SecurityContext
from casemate.model.kube.struct import IntOrString, KubeStruct, Quantity
from casemate.model.kube.volumes import VolumeDevice, VolumeMount


class ConfigMapKeySelector(KubeStruct, frozen=True, kw_only=True):
    key: str
    name: str | None = None
    optional: bool | None = None


class FileKeySelector(KubeStruct, frozen=True, kw_only=True):
    key: str
    path: str
    volumeName: str
    optional: bool | None = None


class SecretKeySelector(KubeStruct, frozen=True, kw_only=True):
    key: str
    name: str | None = None
    optional: bool | None = None


class EnvVarSource(KubeStruct, frozen=True, kw_only=True):
    configMapKeyRef: ConfigMapKeySelector | None = None
    fieldRef: ObjectFieldSelector | None = None
    fileKeyRef: FileKeySelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None
    secretKeyRef: SecretKeySelector | None = None


class EnvVar(KubeStruct, frozen=True, kw_only=True):
    name: str
    value: str | None = None
    valueFrom: EnvVarSource | None = None


class ConfigMapEnvSource(KubeStruct, frozen=True, kw_only=True):
    name: str | None = None
    optional: bool | None = None


class SecretEnvSource(KubeStruct, frozen=True, kw_only=True):
    name: str | None = None
    optional: bool | None = None


class EnvFromSource(KubeStruct, frozen=True, kw_only=True):
    configMapRef: ConfigMapEnvSource | None = None
    prefix: str | None = None
    secretRef: SecretEnvSource | None = None


class ExecAction(KubeStruct, frozen=True, kw_only=True):
    command: tuple[str, ...] = ()


class HTTPHeader(KubeStruct, frozen=True, kw_only=True):
    name: str
    value: str


class HTTPGetAction(KubeStruct, frozen=True, kw_only=True):
    port: IntOrString
    host: str | None = None
    httpHeaders: tuple[HTTPHeader, ...] = ()
    path: str | None = None
    scheme: str | None = None


class SleepAction(KubeStruct, frozen=True, kw_only=True):
    seconds: int


class TCPSocketAction(KubeStruct, frozen=True, kw_only=True):
    port: IntOrString
    host: str | None = None


class LifecycleHandler(KubeStruct, frozen=True, kw_only=True):
    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcpSocket: TCPSocketAction | None = None


class Lifecycle(KubeStruct, frozen=True, kw_only=True):
    postStart: LifecycleHandler | None = None
    preStop: LifecycleHandler | None = None
    stopSignal: str | None = None


class GRPCAction(KubeStruct, frozen=True, kw_only=True):
    port: int
    service: str | None = None


class Probe(KubeStruct, frozen=True, kw_only=True):
    exec: ExecAction | None = None
    failureThreshold: int | None = None
    grpc: GRPCAction | None = None
    httpGet: HTTPGetAction | None = None
    initialDelaySeconds: int | None = None
    periodSeconds: int | None = None
    successThreshold: int | None = None
    tcpSocket: TCPSocketAction | None = None
    terminationGracePeriodSeconds: int | None = None
    timeoutSeconds: int | None = None


class ContainerPort(KubeStruct, frozen=True, kw_only=True):
    containerPort: int
    hostIP: str | None = None
    hostPort: int | None = None
    name: str | None = None
    protocol: str | None = None


class ContainerResizePolicy(KubeStruct, frozen=True, kw_only=True):
    resourceName: str
    restartPolicy: str


class ResourceClaim(KubeStruct, frozen=True, kw_only=True):
    name: str
    request: str | None = None


class ResourceRequirements(KubeStruct, frozen=True, kw_only=True):
    claims: tuple[ResourceClaim, ...] = ()
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class ContainerRestartRuleOnExitCodes(KubeStruct, frozen=True, kw_only=True):
    operator: str
    values: tuple[int, ...] = ()


class ContainerRestartRule(KubeStruct, frozen=True, kw_only=True):
    action: str
    exitCodes: ContainerRestartRuleOnExitCodes | None = None


class Container(KubeStruct, frozen=True, kw_only=True):
    name: str
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    envFrom: tuple[EnvFromSource, ...] = ()
    image: str | None = None
    imagePullPolicy: str | None = None
    lifecycle: Lifecycle | None = None
    livenessProbe: Probe | None = None
    ports: tuple[ContainerPort, ...] = ()
    readinessProbe: Probe | None = None
    resizePolicy: tuple[ContainerResizePolicy, ...] = ()
    resources: ResourceRequirements | None = None
    restartPolicy: str | None = None
    restartPolicyRules: tuple[ContainerRestartRule, ...] = ()
    securityContext: SecurityContext | None = None
    startupProbe: Probe | None = None
    stdin: bool | None = None
    stdinOnce: bool | None = None
    terminationMessagePath: str | None = None
    terminationMessagePolicy: str | None = None
    tty: bool | None = None
    volumeDevices: tuple[VolumeDevice, ...] = ()
    volumeMounts: tuple[VolumeMount, ...] = ()
    workingDir: str | None = None


class EphemeralContainer(KubeStruct, frozen=True, kw_only=True):
    name: str
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    envFrom: tuple[EnvFromSource, ...] = ()
    image: str | None = None
    imagePullPolicy: str | None = None
    lifecycle: Lifecycle | None = None
    livenessProbe: Probe | None = None
    ports: tuple[ContainerPort, ...] = ()
    readinessProbe: Probe | None = None
    resizePolicy: tuple[ContainerResizePolicy, ...] = ()
    resources: ResourceRequirements | None = None
    restartPolicy: str | None = None
    restartPolicyRules: tuple[ContainerRestartRule, ...] = ()
    securityContext: SecurityContext | None = None
    startupProbe: Probe | None = None
    stdin: bool | None = None
    stdinOnce: bool | None = None
    targetContainerName: str | None = None
    terminationMessagePath: str | None = None
    terminationMessagePolicy: str | None = None
    tty: bool | None = None
    volumeDevices: tuple[VolumeDevice, ...] = ()
    volumeMounts: tuple[VolumeMount, ...] = ()
    workingDir: str | None = None
