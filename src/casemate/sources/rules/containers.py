"""Containers: what several of their fields say together. Single fields are in `casemate.sources.rules.fields`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from casemate.model.kube.container import Container, ContainerPort, EnvVar, LifecycleHandler, Probe
from casemate.model.kube.volumes import Volume
from casemate.sources.rules.downward import ENV_FIELDS, check_field, check_resource_field
from casemate.sources.rules.place import Place
from casemate.sources.rules.resources import CONTAINER_RESOURCES, check_resources
from casemate.sources.rules.security import check_security

_SIGNALS: Final = re.compile(
    "SIG(ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    "|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN([+]([1-9]|1[0-5]))?|RTMAX(-([1-9]|1[0-4]))?)"
)


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What a container's rules need to know of its Pod."""

    volumes: dict[str, Volume]
    grace_seconds: int
    restart_policy: str
    host_users: bool
    host_network: bool
    os: str
    claims: frozenset[str]


def check_container(container: Container, pod: PodFacts, place: Place, *, init: bool) -> None:
    """All rules of one container; `init` for init containers, sidecars among them."""
    place.at("name").require(container.name)
    if container.image is None:
        place.at("image").note("is missing", "add the image's reference")
    _check_ports(container.ports, pod, place.at("ports"))
    _check_env(container, pod, place)
    _check_mounts(container, pod, place)
    if container.resources:
        check_resources(container.resources, place.at("resources"), CONTAINER_RESOURCES)
        for index, claim in enumerate(container.resources.claims):
            if claim.name not in pod.claims:
                place.at("resources", "claims", index).note(f'"{claim.name}" is none of the Pod\'s resourceClaims')
    if container.securityContext:
        check_security(container.securityContext, place.at("securityContext"), host_users=pod.host_users)
    _check_restart(container, pod, place)
    if init and container.restartPolicy != "Always":
        _check_plain_init(container, place)
    else:
        _check_hooks_and_probes(container, pod, place)


def _check_ports(ports: tuple[ContainerPort, ...], pod: PodFacts, place: Place) -> None:
    place.unique(each.name for each in ports)
    hosts = (f"{p.protocol or 'TCP'}/{p.hostIP or ''}/{p.hostPort}" if p.hostPort else None for p in ports)
    place.unique(hosts, "hostPort")
    for index, each in enumerate(ports):
        if pod.host_network and each.hostPort and each.hostPort != each.containerPort:
            place.at(index, "hostPort").note(f"{each.hostPort} must equal containerPort, as hostNetwork is true")


def _check_env(container: Container, pod: PodFacts, place: Place) -> None:
    for index, variable in enumerate(container.env):
        if variable.valueFrom:
            _check_value_from(variable, pod, place.at("env", index, "valueFrom"))
    for index, source in enumerate(container.envFrom):
        here = place.at("envFrom", index)
        chosen = {name: ref for name in ("configMapRef", "secretRef") if (ref := getattr(source, name))}
        here.exactly_one(chosen, "configMapRef, secretRef")
        for name, ref in chosen.items():
            here.at(name, "name").require(ref.name)


def _check_value_from(variable: EnvVar, pod: PodFacts, place: Place) -> None:
    source = variable.valueFrom
    if source is None:
        return
    names = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
    place.exactly_one([name for name in names if getattr(source, name)], ", ".join(names))
    if variable.value:
        place.note("value and valueFrom exclude each other", "keep one of them")
    for name, ref in (("configMapKeyRef", source.configMapKeyRef), ("secretKeyRef", source.secretKeyRef)):
        if ref:
            place.at(name, "name").require(ref.name)
    if source.fieldRef:
        check_field(source.fieldRef, ENV_FIELDS, place.at("fieldRef"))
    if source.resourceFieldRef:
        check_resource_field(source.resourceFieldRef, place.at("resourceFieldRef"))
    if source.fileKeyRef:
        volume = pod.volumes.get(source.fileKeyRef.volumeName)
        if volume is None or volume.emptyDir is None:
            here = place.at("fileKeyRef", "volumeName")
            here.note(f'"{source.fileKeyRef.volumeName}" is no emptyDir volume of this Pod')


def _check_mounts(container: Container, pod: PodFacts, place: Place) -> None:
    place.at("volumeMounts").unique((each.mountPath for each in container.volumeMounts), "mountPath")
    place.at("volumeDevices").unique((each.devicePath for each in container.volumeDevices), "devicePath")
    privileged = bool(container.securityContext and container.securityContext.privileged)
    for index, mount in enumerate(container.volumeMounts):
        here = place.at("volumeMounts", index)
        _check_volume_name(mount.name, pod, here.at("name"))
        if mount.subPath and mount.subPathExpr:
            here.at("subPathExpr").note("subPath and subPathExpr exclude each other", "keep one of them")
        if mount.mountPropagation == "Bidirectional" and not privileged:
            here.at("mountPropagation").note("Bidirectional is for privileged containers only")
        if mount.recursiveReadOnly in ("Enabled", "IfPossible"):
            if not mount.readOnly:
                here.at("recursiveReadOnly").note("needs readOnly: true")
            if mount.mountPropagation not in (None, "None"):
                here.at("recursiveReadOnly").note("needs mountPropagation to be None or unset")
    for index, device in enumerate(container.volumeDevices):
        here = place.at("volumeDevices", index)
        _check_volume_name(device.name, pod, here.at("name"))
        volume = pod.volumes.get(device.name)
        if volume and not (volume.persistentVolumeClaim or volume.ephemeral):
            here.at("name").note(f'"{device.name}" is no claim, and only claims can be block devices')
        if device.name in {mount.name for mount in container.volumeMounts}:
            here.at("name").note(f'"{device.name}" is mounted too', "use it as a device or as a mount")


def _check_volume_name(name: str, pod: PodFacts, place: Place) -> None:
    if name and name not in pod.volumes:
        known = ", ".join(pod.volumes) or "none"
        place.note(f'"{name}" is no volume of this Pod', f"its volumes: {known}")


def _check_restart(container: Container, pod: PodFacts, place: Place) -> None:
    for index, rule in enumerate(container.restartPolicyRules):
        if rule.exitCodes is None:
            place.at("restartPolicyRules", index, "exitCodes").note("is missing")
    if container.restartPolicyRules and container.restartPolicy is None:
        place.at("restartPolicy").note("is missing", "restartPolicyRules refine it")
    place.at("resizePolicy").unique((each.resourceName for each in container.resizePolicy), "resourceName")
    for index, policy in enumerate(container.resizePolicy):
        if pod.restart_policy == "Never" and policy.restartPolicy == "RestartContainer":
            place.at("resizePolicy", index, "restartPolicy").note("must be NotRequired, as the Pod never restarts")


def _check_plain_init(container: Container, place: Place) -> None:
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if getattr(container, name):
            place.at(name).note("is only for init containers with restartPolicy: Always (sidecars)")


def _check_hooks_and_probes(container: Container, pod: PodFacts, place: Place) -> None:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe: Probe | None = getattr(container, name)
        if probe:
            _check_probe(probe, place.at(name), ready=name == "readinessProbe")
    if not container.lifecycle:
        return
    for name in ("postStart", "preStop"):
        hook: LifecycleHandler | None = getattr(container.lifecycle, name)
        if hook:
            _check_hook(hook, pod, place.at("lifecycle", name))
    signal = container.lifecycle.stopSignal
    if signal is not None:
        here = place.at("lifecycle", "stopSignal")
        if not pod.os:
            here.note("needs spec.os.name", "add os: {name: linux} to the Pod")
        elif not _SIGNALS.fullmatch(signal):
            here.note(f'"{signal}" is no signal', "such as SIGTERM")


def _check_probe(probe: Probe, place: Place, *, ready: bool) -> None:
    names = ("exec", "httpGet", "tcpSocket", "grpc")
    place.exactly_one([name for name in names if getattr(probe, name)], ", ".join(names))
    if probe.exec:
        place.at("exec", "command").require(probe.exec.command)
    if ready and probe.terminationGracePeriodSeconds is not None:
        place.at("terminationGracePeriodSeconds").note("must not be set for a readinessProbe")
    if not ready and probe.successThreshold not in (None, 0, 1):
        place.at("successThreshold").note(f"{probe.successThreshold} must be 1")


def _check_hook(hook: LifecycleHandler, pod: PodFacts, place: Place) -> None:
    names = ("exec", "httpGet", "tcpSocket", "sleep")
    place.exactly_one([name for name in names if getattr(hook, name)], ", ".join(names))
    if hook.exec:
        place.at("exec", "command").require(hook.exec.command)
    if hook.sleep and not 0 <= hook.sleep.seconds <= pod.grace_seconds:
        limit = pod.grace_seconds
        place.at("sleep").note(f"{hook.sleep.seconds} must be between 0 and the grace period of {limit} seconds")
