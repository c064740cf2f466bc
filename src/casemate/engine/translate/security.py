"""Security contexts: the Pod's and the container's merged, and said in CRI's words.

1. A container's setting wins over the Pod's, field by field.
2. No seccomp profile anywhere means RuntimeDefault (as with a kubelet's `seccompDefault: true`).
3. A Localhost seccomp profile is a file below the engine's `seccomp` folder; a path that leaves it is refused.
4. `runAsNonRoot` is checked against `runAsUser`, else against the image's user: 0 and names are refused.
5. `allowPrivilegeEscalation: false` sets no_new_privs; nothing else does.
6. `procMount: Unmasked` masks nothing and makes nothing read-only; else /proc and /sys are masked as a kubelet does.
7. Without `runAsUser` the container runs as the image's user, by number or by name.
8. fsGroup and supplementalGroups are supplementary groups of every process.

Sources: k8s.io/kubernetes v1.36: pkg/securitycontext, pkg/kubelet/kuberuntime/security_context*.go, helpers.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.errors import InputError, RefusedError
from casemate.model.handler import NodeFacts
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import (
    AppArmorProfile,
    Capabilities,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
)

_MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""What containers may read and not write."""

_PROFILE = pb.SecurityProfile


@dataclass(frozen=True)
class ImageUser:
    """The user that an image asks for: a number, or a name that only the image can resolve, or neither (root)."""

    uid: int | None = None
    name: str = ""


ROOT_USER = ImageUser()
"""The user of an image that names none."""


def image_user(image: pb.Image) -> ImageUser:
    """The user that an image's status names."""
    return ImageUser(image.uid.value if image.HasField("uid") else None, image.username)


def effective(spec: PodSpec, container: Container) -> SecurityContext:
    """The container's security context with the Pod's settings where it has none."""
    pod = spec.securityContext or PodSecurityContext()
    own = container.securityContext or SecurityContext()
    return SecurityContext(
        allowPrivilegeEscalation=own.allowPrivilegeEscalation,
        appArmorProfile=own.appArmorProfile or pod.appArmorProfile,
        capabilities=own.capabilities,
        privileged=own.privileged,
        procMount=own.procMount,
        readOnlyRootFilesystem=own.readOnlyRootFilesystem,
        runAsGroup=pod.runAsGroup if own.runAsGroup is None else own.runAsGroup,
        runAsNonRoot=pod.runAsNonRoot if own.runAsNonRoot is None else own.runAsNonRoot,
        runAsUser=pod.runAsUser if own.runAsUser is None else own.runAsUser,
        seLinuxOptions=own.seLinuxOptions or pod.seLinuxOptions,
        seccompProfile=own.seccompProfile or pod.seccompProfile,
    )


def check_non_root(instance: PodInstance, container: Container, context: SecurityContext, image: ImageUser) -> None:
    """Raises `RefusedError` when `runAsNonRoot` is set and the container would, or might, run as root."""
    if not context.runAsNonRoot:
        return
    uid = context.runAsUser if context.runAsUser is not None else image.uid
    where = f"Pod {instance.namespace}/{instance.name}, container {container.name}"
    if context.runAsUser is None and image.name:
        raise RefusedError(
            f"runAsNonRoot is set, and the image's user {image.name!r} is a name: it may be root's",
            where=where,
            fix="set runAsUser to the user's number",
        )
    if not uid:
        reason = "runAsUser is 0" if context.runAsUser == 0 else "the image runs as root"
        raise RefusedError(f"runAsNonRoot is set, but {reason}", where=where, fix="set runAsUser to another user")


def container_security(
    context: SecurityContext, spec: PodSpec, node: NodeFacts, image: ImageUser, seccomp: Path
) -> pb.LinuxContainerSecurityContext:
    """The context in CRI's words, but for namespaces. `seccomp` is the folder of Localhost profiles."""
    masks = context.procMount != "Unmasked"
    message = pb.LinuxContainerSecurityContext(
        privileged=bool(context.privileged),
        capabilities=_capabilities(context.capabilities),
        selinux_options=selinux_options(context.seLinuxOptions),
        readonly_rootfs=bool(context.readOnlyRootFilesystem),
        supplemental_groups=supplemental_groups(spec),
        supplemental_groups_policy=supplemental_groups_policy(spec),
        no_new_privs=context.allowPrivilegeEscalation is False,
        masked_paths=masked_paths(node) if masks else (),
        readonly_paths=READ_ONLY_PATHS if masks else (),
        seccomp=seccomp_profile(context.seccompProfile, seccomp),
        apparmor=_apparmor(context.appArmorProfile),
    )
    _set_user(message, context, image)
    return message


def seccomp_profile(profile: SeccompProfile | None, folder: Path) -> pb.SecurityProfile:
    """The seccomp profile; RuntimeDefault when unset. Raises `InputError` for a Localhost path that leaves `folder`."""
    if profile is None or profile.type == "RuntimeDefault":
        return _PROFILE(profile_type=_PROFILE.RuntimeDefault)
    if profile.type != "Localhost":
        return _PROFILE(profile_type=_PROFILE.Unconfined)
    path = PurePosixPath(profile.localhostProfile or "")
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise InputError(
            f"seccompProfile.localhostProfile {str(path)!r} must be a path below {folder}",
            fix="name the profile relative to that folder, without '..'",
        )
    return _PROFILE(profile_type=_PROFILE.Localhost, localhost_ref=str(folder / path))


def supplemental_groups(spec: PodSpec) -> tuple[int, ...]:
    """fsGroup, then supplementalGroups."""
    context = spec.securityContext or PodSecurityContext()
    return (() if context.fsGroup is None else (context.fsGroup,)) + context.supplementalGroups


def supplemental_groups_policy(spec: PodSpec) -> str:
    """Whether groups that the image gives the user are added (`Merge`, the default) or not (`Strict`)."""
    context = spec.securityContext or PodSecurityContext()
    return context.supplementalGroupsPolicy or "Merge"


def selinux_options(options: SELinuxOptions | None) -> pb.SELinuxOption | None:
    """The SELinux label, or None."""
    if options is None:
        return None
    return pb.SELinuxOption(
        user=options.user or "", role=options.role or "", type=options.type or "", level=options.level or ""
    )


def masked_paths(node: NodeFacts) -> tuple[str, ...]:
    """Files that show or change the node; a runtime skips those that a kernel lacks."""
    throttles = (f"/sys/devices/system/cpu/cpu{cpu}/thermal_throttle" for cpu in range(node.cpus))
    return (*_MASKED, *throttles)


def _capabilities(capabilities: Capabilities | None) -> pb.Capability | None:
    if capabilities is None:
        return None
    return pb.Capability(add_capabilities=capabilities.add, drop_capabilities=capabilities.drop)


def _apparmor(profile: AppArmorProfile | None) -> pb.SecurityProfile | None:
    if profile is None:
        return None
    kind = {"RuntimeDefault": _PROFILE.RuntimeDefault, "Localhost": _PROFILE.Localhost}
    return _PROFILE(
        profile_type=kind.get(profile.type, _PROFILE.Unconfined), localhost_ref=profile.localhostProfile or ""
    )


def _set_user(message: pb.LinuxContainerSecurityContext, context: SecurityContext, image: ImageUser) -> None:
    if context.runAsGroup is not None:
        message.run_as_group.value = context.runAsGroup
    if context.runAsUser is not None:
        message.run_as_user.value = context.runAsUser
    elif image.name and image.uid is None:
        message.run_as_username = image.name
    else:
        message.run_as_user.value = image.uid or 0
