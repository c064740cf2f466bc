"""What containers say.

1. Init, sidecar and ephemeral containers count like all others: what one of them says, the workload says.
2. A container's security context outranks the Pod's; what neither sets is unset, and unset earns nothing
   (k8s.io/api core/v1 SecurityContext). A privileged container has every capability and no seccomp profile.
3. AppArmor's old annotations still count: they show what was meant (KEP-24).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from casemate.decide import capabilities
from casemate.decide.facts import Facts
from casemate.decide.images import image
from casemate.model.kube.container import Container, EphemeralContainer
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import PodSecurityContext, SeccompProfile, SecurityContext
from casemate.model.kube.struct import Quantity
from casemate.model.kube.volumes import VolumeMount

AnyContainer: TypeAlias = Container | EphemeralContainer

_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_ANNOTATED: Final = {"runtime/default": "RuntimeDefault", "unconfined": "Unconfined"}
_LIMITED: Final = ("cpu", "memory")
_CONFIGURATION: Final = frozenset({"configMap", "secret", "projected"})
_SELINUX: Final = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
"""What Pod Security Standards, Baseline, allows; of another type nobody knows here what it confines."""
_LAST_USER: Final = 2**31 - 1
_NO_CONTEXT = SecurityContext()
_NO_POD_CONTEXT = PodSecurityContext()


class _Fields(NamedTuple):
    """The paths of a container's fields."""

    container: str
    image: str
    command: str
    privileged: str
    escalation: str
    non_root: str
    user: str
    seccomp: str
    apparmor: str
    selinux: str
    root_filesystem: str
    proc_mount: str
    host_process: str
    add: str
    drop: str
    limits: str
    mounts: str
    devices: str
    ports: str
    env: str


@lru_cache(maxsize=1024)
def _fields(kind: str, index: int) -> _Fields:
    container = f"{kind}[{index}]"
    context = f"{container}.securityContext"
    return _Fields(
        container=container,
        image=f"{container}.image",
        command=f"{container}.command",
        privileged=f"{context}.privileged",
        escalation=f"{context}.allowPrivilegeEscalation",
        non_root=f"{context}.runAsNonRoot",
        user=f"{context}.runAsUser",
        seccomp=f"{context}.seccompProfile",
        apparmor=f"{context}.appArmorProfile",
        selinux=f"{context}.seLinuxOptions",
        root_filesystem=f"{context}.readOnlyRootFilesystem",
        proc_mount=f"{context}.procMount",
        host_process=f"{context}.windowsOptions.hostProcess",
        add=f"{context}.capabilities.add",
        drop=f"{context}.capabilities.drop",
        limits=f"{container}.resources.limits",
        mounts=f"{container}.volumeMounts",
        devices=f"{container}.volumeDevices",
        ports=f"{container}.ports",
        env=f"{container}.env",
    )


def every_container(spec: PodSpec) -> Iterator[tuple[AnyContainer, str, int]]:
    """Each container with the name of its list and its index there, in the order in which they start."""
    for index, container in enumerate(spec.initContainers):
        yield container, "initContainers", index
    for index, container in enumerate(spec.containers):
        yield container, "containers", index
    for index, ephemeral in enumerate(spec.ephemeralContainers):
        yield ephemeral, "ephemeralContainers", index


class Mounted(NamedTuple):
    """Names of volumes: those that a container may write, of which it may write what is mounted below, and others."""

    writable: set[str]
    shallow: set[str]
    deep: set[str]


def containers(facts: Facts, spec: PodSpec, annotations: Mapping[str, str], kinds: Mapping[str, str]) -> Mounted:
    """Note what every container says; `kinds` are those of the volumes. Returns how they are mounted."""
    mounted = Mounted(set(), set(), set())
    pod = spec.securityContext or _NO_POD_CONTEXT
    limits = spec.resources.limits if spec.resources else {}
    for container, kind, index in every_container(spec):
        fields = _fields(kind, index)
        context = container.securityContext or _NO_CONTEXT
        facts.containers.append(fields.container)
        _image(facts, container.image or "", fields)
        _rights(facts, context, fields)
        _user(facts, context, pod, fields)
        _confinement(facts, annotations.get(_APPARMOR + container.name, ""), context, pod, fields)
        _resources(facts, container, limits, fields)
        _mounts(facts, container.volumeMounts, kinds, fields, mounted)
        _behaviour(facts, container, fields)
        if container.env or container.envFrom:
            _environment(facts, container, fields)
    _all_images(facts)
    return mounted


def _image(facts: Facts, text: str, fields: _Fields) -> None:
    found = image(text)
    facts.value("image", found.name, fields.image)
    facts.value("image-registry", found.registry, fields.image)
    if found.wasm:
        facts.mark("wasm-image", fields.image)
    if not found.digest:
        facts.mark("image-by-tag", fields.image)
        if found.tag == "latest":
            facts.mark("image-latest", fields.image)


def _all_images(facts: Facts) -> None:
    """All names in one text, for who asks about every container. A name that cannot be read spoils them all."""
    images = facts.values.get("image", ())
    if "" not in dict(facts.values.get("image-registry", ())):
        names = images[0][0] if len(images) == 1 else " ".join(sorted({name for name, _ in images}))
        facts.values["all-images"] = ((names, ""),)


def _rights(facts: Facts, context: SecurityContext, fields: _Fields) -> None:
    privileged = bool(context.privileged)
    if privileged:
        facts.mark("privileged", fields.privileged)
    if privileged or context.allowPrivilegeEscalation is not False:
        facts.mark("privilege-escalation", fields.escalation)
    if context.readOnlyRootFilesystem is not True:
        facts.mark("writable-root", fields.root_filesystem)
    if context.procMount:
        facts.value("proc-mount", context.procMount, fields.proc_mount)
    if context.windowsOptions and context.windowsOptions.hostProcess:
        facts.mark("host-process", fields.host_process)
    asked = context.capabilities
    add, drop = (asked.add, asked.drop) if asked else ((), ())
    effective = capabilities.EVERY if privileged else capabilities.effective(add, drop)
    facts.value("capability", effective, fields.privileged if privileged else fields.add if add else fields.drop)
    if not capabilities.drops_all(drop):
        facts.mark("capabilities-kept", fields.drop)
    for name in add:
        facts.value("capability-added", capabilities.named(name), fields.add)


def _user(facts: Facts, context: SecurityContext, pod: PodSecurityContext, fields: _Fields) -> None:
    user = pod.runAsUser if context.runAsUser is None else context.runAsUser
    non_root = pod.runAsNonRoot if context.runAsNonRoot is None else context.runAsNonRoot
    if user is None:
        facts.mark("user-unset", fields.user)
        if not non_root:
            facts.mark("may-be-root", fields.non_root)
    elif user == 0:
        facts.mark("root-asked", fields.user)
        facts.mark("may-be-root", fields.user)
    elif not 0 < user <= _LAST_USER:  # The API server refuses it; a kernel that counts in 32 bits may take it for root.
        facts.mark("may-be-root", fields.user)


def _confinement(
    facts: Facts, annotated: str, context: SecurityContext, pod: PodSecurityContext, fields: _Fields
) -> None:
    seccomp = context.seccompProfile or pod.seccompProfile
    kind = "Unconfined" if context.privileged else confined_by(seccomp) if seccomp else "unset"
    facts.value("seccomp", kind, fields.seccomp)
    apparmor = context.appArmorProfile or pod.appArmorProfile
    facts.value("apparmor", apparmor.type if apparmor else _apparmor(annotated), fields.apparmor)
    selinux = context.seLinuxOptions or pod.seLinuxOptions
    if selinux is not None:
        facts.mark("selinux-options", fields.selinux)
        facts.value("selinux-type", selinux.type or "", fields.selinux)
        if (selinux.type or _SELINUX[0]) not in _SELINUX or selinux.user or selinux.role:
            facts.mark("selinux-beyond", fields.selinux)


def confined_by(profile: SeccompProfile) -> str:
    """The profile's type, `Unconfined` when it may confine nothing, as Localhost without a name has (CVE-2023-2431)."""
    named = profile.type == "RuntimeDefault" or (profile.type == "Localhost" and profile.localhostProfile)
    return profile.type if named else "Unconfined"


def _apparmor(annotated: str) -> str:
    return _ANNOTATED.get(annotated, "Localhost" if annotated.startswith("localhost/") else "unset")


def _resources(facts: Facts, container: AnyContainer, around: Mapping[str, Quantity], fields: _Fields) -> None:
    resources = container.resources
    limits = resources.limits if resources else {}
    for name in _LIMITED:
        if name not in limits and name not in around:
            facts.value("limit-missing", name, fields.limits)
    if resources:
        for name in sorted({*limits, *resources.requests}):
            facts.value("resource", name, fields.limits)
        if resources.claims:
            facts.mark("resource-claims", f"{fields.container}.resources.claims")
    for index, port in enumerate(container.ports):
        if port.hostPort:
            facts.mark("host-port", f"{fields.ports}[{index}].hostPort")
    if container.volumeDevices:
        facts.mark("volume-devices", fields.devices)


def _mounts(
    facts: Facts, mounts: tuple[VolumeMount, ...], kinds: Mapping[str, str], fields: _Fields, mounted: Mounted
) -> None:
    for index, mount in enumerate(mounts):
        if not mount.readOnly:
            mounted.writable.add(mount.name)
        elif mount.recursiveReadOnly != "Enabled":
            mounted.shallow.add(mount.name)
        else:
            mounted.deep.add(mount.name)
        if mount.mountPropagation:
            facts.value("mount-propagation", mount.mountPropagation, f"{fields.mounts}[{index}].mountPropagation")
        if mount.subPath or mount.subPathExpr:
            facts.mark("sub-path", f"{fields.mounts}[{index}].subPath")
        elif kinds.get(mount.name) in _CONFIGURATION:
            facts.mark("config-mounted", f"{fields.mounts}[{index}]")


def _behaviour(facts: Facts, container: AnyContainer, fields: _Fields) -> None:
    for word in container.command:
        facts.value("command", word, fields.command)
    for word in container.args:
        facts.value("command", word, f"{fields.container}.args")
    if runs_probes(container):
        facts.mark("exec-probe", fields.container)
    if _names_host(container):
        facts.mark("probe-host", fields.container)


def runs_probes(container: AnyContainer) -> bool:
    """Whether a probe or hook runs a program in the container."""
    for probe in (container.livenessProbe, container.readinessProbe, container.startupProbe):
        if probe is not None and probe.exec is not None:
            return True
    hooks = container.lifecycle
    return hooks is not None and any(hook and hook.exec for hook in (hooks.postStart, hooks.preStop))


def _names_host(container: AnyContainer) -> bool:
    """Whether a probe or hook names a host: the kubelet connects there from the node's network."""
    hooks = container.lifecycle
    handlers = (container.livenessProbe, container.readinessProbe, container.startupProbe)
    return any(
        handler is not None
        and ((handler.httpGet is not None and handler.httpGet.host) or (handler.tcpSocket and handler.tcpSocket.host))
        for handler in (*handlers, *((hooks.postStart, hooks.preStop) if hooks else ()))
    )


def _environment(facts: Facts, container: AnyContainer, fields: _Fields) -> None:
    for index, variable in enumerate(container.env):
        place = f"{fields.env}[{index}]"
        facts.value("env", f"{variable.name}={variable.value or ''}", place)
        if variable.valueFrom and variable.valueFrom.secretKeyRef:
            facts.value("secret", variable.valueFrom.secretKeyRef.name or "", place)
    for index, source in enumerate(container.envFrom):
        if source.secretRef:
            facts.value("secret", source.secretRef.name or "", f"{fields.container}.envFrom[{index}]")
