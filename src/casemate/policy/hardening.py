"""Which parts of `hardened` a Pod lacks, and where (`casemate.model.policy.Part` says what each asks).

1. All container lists count equally: init, main, ephemeral.
2. A container's field outranks the Pod's; what neither sets is unset, and unset earns nothing.
3. A privileged container has every capability and no seccomp profile, whatever else it says.
4. What the whole Pod lacks is lacking once, without a container.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from casemate.decide.containers import every_container
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import PodSecurityContext, SecurityContext
from casemate.model.policy import Part

APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_UNCONFINED: Final = "Unconfined"
_SELINUX_OFF: Final = frozenset({"spc_t", "unconfined_t", "container_runtime_t"})
_BOUND: Final = "NET_BIND_SERVICE"
_NO_CONTEXT: Final = SecurityContext()
_NO_POD_CONTEXT: Final = PodSecurityContext()


class Lack(NamedTuple):
    """A part that is missing. `container` is empty when the Pod lacks it; `path` leads from the Pod's specification."""

    part: Part
    container: str
    path: str


def lacking(spec: PodSpec, annotations: Mapping[str, str]) -> tuple[Lack, ...]:
    """Everything that the Pod lacks."""
    pod = spec.securityContext or _NO_POD_CONTEXT
    found = [*_of_pod(spec, pod, annotations)]
    for container, kind, index in every_container(spec):
        context = container.securityContext or _NO_CONTEXT
        found += _of_container(container.name, context, pod, f"{kind}[{index}].securityContext")
    return tuple(found)


def parts_lacking(context: SecurityContext | None, pod: PodSecurityContext | None) -> frozenset[Part]:
    """The parts that a container with these contexts lacks by itself."""
    found = _of_container("", context or _NO_CONTEXT, pod or _NO_POD_CONTEXT, "")
    return frozenset(each.part for each in found)


def _of_pod(spec: PodSpec, pod: PodSecurityContext, annotations: Mapping[str, str]) -> Iterator[Lack]:
    if spec.hostUsers is not False:
        yield Lack(Part.USER_NAMESPACE, "", "hostUsers")
    for shared, path in ((spec.hostNetwork, "hostNetwork"), (spec.hostPID, "hostPID"), (spec.hostIPC, "hostIPC")):
        if shared:
            yield Lack(Part.NO_HOST_NAMESPACES, "", path)
    if pod.windowsOptions and pod.windowsOptions.hostProcess:
        for part in (Part.NOT_PRIVILEGED, Part.NO_HOST_NAMESPACES):
            yield Lack(part, "", "securityContext.windowsOptions.hostProcess")
    for index, volume in enumerate(spec.volumes):
        if volume.hostPath is not None:
            yield Lack(Part.NO_HOST_PATHS, "", f"volumes[{index}].hostPath")
    if any(key.startswith(APPARMOR) and text == "unconfined" for key, text in annotations.items()):
        yield Lack(Part.NOT_PRIVILEGED, "", "securityContext.appArmorProfile")


def _of_container(name: str, context: SecurityContext, pod: PodSecurityContext, path: str) -> Iterator[Lack]:
    privileged = bool(context.privileged)
    if privileged or not _confined(context, pod):
        yield Lack(Part.SECCOMP, name, f"{path}.seccompProfile")
    if privileged or context.allowPrivilegeEscalation is not False:
        yield Lack(Part.NO_NEW_PRIVILEGES, name, f"{path}.allowPrivilegeEscalation")
    if privileged or not _drops(context):
        yield Lack(Part.DROP_CAPABILITIES, name, f"{path}.capabilities")
    if not _non_root(context, pod):
        yield Lack(Part.NON_ROOT, name, f"{path}.runAsNonRoot")
    if privileged:
        yield Lack(Part.NOT_PRIVILEGED, name, f"{path}.privileged")
    for field in _opened(context, pod):
        yield Lack(Part.NOT_PRIVILEGED, name, f"{path}.{field}")
    if context.windowsOptions and context.windowsOptions.hostProcess:
        yield Lack(Part.NO_HOST_NAMESPACES, name, f"{path}.windowsOptions.hostProcess")


def _confined(context: SecurityContext, pod: PodSecurityContext) -> bool:
    profile = context.seccompProfile or pod.seccompProfile
    if profile is None:
        return False
    # A Localhost profile without a name has been unconfined (CVE-2023-2431).
    return profile.type == "RuntimeDefault" or (profile.type == "Localhost" and bool(profile.localhostProfile))


def _drops(context: SecurityContext) -> bool:
    capabilities = context.capabilities
    return capabilities is not None and "ALL" in capabilities.drop and all(each == _BOUND for each in capabilities.add)


def _non_root(context: SecurityContext, pod: PodSecurityContext) -> bool:
    user = pod.runAsUser if context.runAsUser is None else context.runAsUser
    if user is not None:
        return user > 0
    return bool(pod.runAsNonRoot if context.runAsNonRoot is None else context.runAsNonRoot)


def _opened(context: SecurityContext, pod: PodSecurityContext) -> Iterator[str]:
    """Fields that take away a part of what keeps a container from privilege."""
    if context.procMount and context.procMount != "Default":
        yield "procMount"
    apparmor = context.appArmorProfile or pod.appArmorProfile
    if apparmor and apparmor.type == _UNCONFINED:
        yield "appArmorProfile"
    selinux = context.seLinuxOptions or pod.seLinuxOptions
    if selinux and selinux.type in _SELINUX_OFF:
        yield "seLinuxOptions"
    if context.windowsOptions and context.windowsOptions.hostProcess:
        yield "windowsOptions.hostProcess"
