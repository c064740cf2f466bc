"""A workload with every part of `hardened` that can be given without taking away what it asks for.

1. Set: `hostUsers: false`, RuntimeDefault seccomp, no new privileges, all capabilities dropped, non-root, /proc masked,
   AppArmor not switched off.
2. Kept: what somebody wrote because the work needs it: `privileged`, added capabilities, `runAsUser: 0`, namespaces of
   the host, SELinux types. With one of them the result is not `hardened`, and `has` says so.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from casemate.decide.containers import confined_by
from casemate.model.kube.container import Container, EphemeralContainer
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import (
    AppArmorProfile,
    Capabilities,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
)
from casemate.model.workload import Workload

_C = TypeVar("_C", Container, EphemeralContainer)
_SECCOMP = SeccompProfile(type="RuntimeDefault")


def hardened(workload: Workload) -> Workload:
    """The workload after hardening."""
    spec = workload.spec
    annotations = {key: text for key, text in workload.metadata.annotations.items() if not _switches_off(key, text)}
    return replace(
        workload,
        metadata=replace(workload.metadata, annotations=annotations),
        spec=replace(
            spec,
            hostUsers=False,
            securityContext=_pod(spec),
            containers=tuple(map(_container, spec.containers)),
            initContainers=tuple(map(_container, spec.initContainers)),
            ephemeralContainers=tuple(map(_container, spec.ephemeralContainers)),
        ),
    )


def _switches_off(key: str, text: str) -> bool:
    return text == "unconfined" and key.startswith("container.apparmor.security.beta.kubernetes.io/")


def _pod(spec: PodSpec) -> PodSecurityContext:
    context = spec.securityContext or PodSecurityContext()
    return replace(
        context,
        runAsNonRoot=True,
        seccompProfile=_seccomp(context.seccompProfile) or _SECCOMP,
        appArmorProfile=_apparmor(context.appArmorProfile),
    )


def _container(container: _C) -> _C:
    context = container.securityContext or SecurityContext()
    capabilities = context.capabilities or Capabilities()
    return replace(
        container,
        securityContext=replace(
            context,
            allowPrivilegeEscalation=False,
            capabilities=replace(capabilities, drop=("ALL",)),
            seccompProfile=_seccomp(context.seccompProfile),
            appArmorProfile=_apparmor(context.appArmorProfile),
            runAsNonRoot=None,
            procMount=None,
        ),
    )


def _seccomp(profile: SeccompProfile | None) -> SeccompProfile | None:
    return None if profile and confined_by(profile) == "Unconfined" else profile


def _apparmor(profile: AppArmorProfile | None) -> AppArmorProfile | None:
    return None if profile and profile.type == "Unconfined" else profile
