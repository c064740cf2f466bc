"""Security contexts of Pods and containers.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.struct import KubeStruct


class AppArmorProfile(KubeStruct, frozen=True, kw_only=True):
    type: str
    localhostProfile: str | None = None


class Capabilities(KubeStruct, frozen=True, kw_only=True):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SELinuxOptions(KubeStruct, frozen=True, kw_only=True):
    level: str | None = None
    role: str | None = None
    type: str | None = None
    user: str | None = None


class SeccompProfile(KubeStruct, frozen=True, kw_only=True):
    type: str
    localhostProfile: str | None = None


class WindowsSecurityContextOptions(KubeStruct, frozen=True, kw_only=True):
    gmsaCredentialSpec: str | None = None
    gmsaCredentialSpecName: str | None = None
    hostProcess: bool | None = None
    runAsUserName: str | None = None


class SecurityContext(KubeStruct, frozen=True, kw_only=True):
    allowPrivilegeEscalation: bool | None = None
    appArmorProfile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    procMount: str | None = None
    readOnlyRootFilesystem: bool | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    runAsUser: int | None = None
    seLinuxOptions: SELinuxOptions | None = None
    seccompProfile: SeccompProfile | None = None
    windowsOptions: WindowsSecurityContextOptions | None = None


class Sysctl(KubeStruct, frozen=True, kw_only=True):
    name: str
    value: str


class PodSecurityContext(KubeStruct, frozen=True, kw_only=True):
    appArmorProfile: AppArmorProfile | None = None
    fsGroup: int | None = None
    fsGroupChangePolicy: str | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    runAsUser: int | None = None
    seLinuxChangePolicy: str | None = None
    seLinuxOptions: SELinuxOptions | None = None
    seccompProfile: SeccompProfile | None = None
    supplementalGroups: tuple[int, ...] = ()
    supplementalGroupsPolicy: str | None = None
    sysctls: tuple[Sysctl, ...] = ()
    windowsOptions: WindowsSecurityContextOptions | None = None
