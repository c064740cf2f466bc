"""Pods: what several fields of a PodSpec say together."""

from __future__ import annotations

from collections.abc import Mapping

from casemate.model.kube.container import Container
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.volumes import PersistentVolumeClaimVolumeSource, Volume
from casemate.model.kube.workloads import PodTemplateSpec
from casemate.sources.rules.containers import PodFacts, check_container
from casemate.sources.rules.labels import check_labels, check_template_metadata
from casemate.sources.rules.place import Place
from casemate.sources.rules.resources import POD_RESOURCES, check_amounts, check_resources
from casemate.sources.rules.scheduling import check_scheduling
from casemate.sources.rules.security import check_pod_security
from casemate.sources.rules.volumes import check_volumes

MAX_NAMESERVERS = 3
MAX_SEARCHES = 32


def check_template(template: PodTemplateSpec, place: Place, claims: frozenset[str] = frozenset()) -> None:
    """A Pod template of a workload that adds volumes of these names from its claim templates."""
    if template.metadata:
        check_template_metadata(template.metadata, place.at("metadata"))
    check_pod_spec(template.spec, template.metadata, place.at("spec"), claims)


def check_pod_spec(
    spec: PodSpec | None, metadata: ObjectMeta | None, place: Place, claims: frozenset[str] = frozenset()
) -> None:
    """All rules of a Pod's specification; to have none is a mistake too."""
    if spec is None:
        place.note("is missing", "add a Pod specification with containers")
        return
    facts = _facts(spec, claims)
    check_volumes(spec.volumes, place.at("volumes"), (metadata.name or "") if metadata else "")
    _check_containers(spec, facts, place)
    _check_host(spec, place)
    _check_names(spec, place)
    check_labels(spec.nodeSelector, place.at("nodeSelector"))
    check_scheduling(spec, place)
    place.at("schedulingGates").unique(each.name for each in spec.schedulingGates)
    _check_dns(spec, place)
    if spec.securityContext:
        host = {"host_network": bool(spec.hostNetwork), "host_ipc": bool(spec.hostIPC)}
        check_pod_security(spec.securityContext, place.at("securityContext"), **host)
    _check_pod_resources(spec, place)


def _facts(spec: PodSpec, claims: frozenset[str]) -> PodFacts:
    grace = spec.terminationGracePeriodSeconds
    return PodFacts(
        volumes={each.name: each for each in spec.volumes} | {name: _claimed(name) for name in claims},
        grace_seconds=30 if grace is None else grace,
        restart_policy=spec.restartPolicy or "Always",
        host_users=spec.hostUsers is not False,
        host_network=bool(spec.hostNetwork),
        os=spec.os.name if spec.os else "",
        claims=frozenset(each.name for each in spec.resourceClaims),
    )


def _claimed(name: str) -> Volume:
    return Volume(name=name, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=name))


def _check_containers(spec: PodSpec, facts: PodFacts, place: Place) -> None:
    if not spec.containers:
        place.at("containers").note("there are none", "add at least one container")
    if spec.ephemeralContainers:
        place.at("ephemeralContainers").note(
            "cannot be part of a new Pod", "remove them; use casemate exec to look inside"
        )
    names: set[str] = set()
    both = (("containers", spec.containers, False), ("initContainers", spec.initContainers, True))
    for field, containers, init in both:
        for index, container in enumerate(containers):
            here = place.at(field, index)
            check_container(container, facts, here, init=init)
            if container.name in names:
                here.at("name").note(f'"{container.name}" is used twice', "give each container its own name")
            names.add(container.name)
    _check_host_ports(spec.containers, place.at("containers"))


def _check_host_ports(containers: tuple[Container, ...], place: Place) -> None:
    """Within one container `check_container` sees repeated host ports; this is across containers."""
    seen: dict[str, int] = {}
    for index, container in enumerate(containers):
        for number, port in enumerate(container.ports):
            key = f"{port.protocol or 'TCP'}/{port.hostIP or ''}/{port.hostPort}"
            if port.hostPort and seen.setdefault(key, index) != index:
                place.at(index, "ports", number, "hostPort").note(f"{port.hostPort} is taken by another container")


def _check_host(spec: PodSpec, place: Place) -> None:
    if spec.hostUsers is False:
        for field in ("hostPID", "hostIPC", "hostNetwork"):
            if getattr(spec, field):
                place.at(field).note("contradicts hostUsers: false", "remove one of them")
        _check_no_devices(spec, place)
    if spec.shareProcessNamespace and spec.hostPID:
        place.at("shareProcessNamespace").note("contradicts hostPID: true", "remove one of them")
    if spec.hostnameOverride is not None:
        here = place.at("hostnameOverride")
        if spec.setHostnameAsFQDN:
            here.note("contradicts setHostnameAsFQDN: true", "remove one of them")
        if spec.hostNetwork:
            here.note("contradicts hostNetwork: true", "remove one of them")
        if len(spec.hostnameOverride) > 64:
            here.note("is longer than 64 characters")


def _check_no_devices(spec: PodSpec, place: Place) -> None:
    both = (("containers", spec.containers), ("initContainers", spec.initContainers))
    for field, containers in both:
        for index, container in enumerate(containers):
            if container.volumeDevices:
                place.at(field, index, "volumeDevices").note("contradicts hostUsers: false", "remove one of them")


def _check_names(spec: PodSpec, place: Place) -> None:
    account, old = spec.serviceAccountName, spec.serviceAccount
    if account and old and account != old:
        place.at("serviceAccount").note(f'"{old}" differs from serviceAccountName "{account}"', "remove serviceAccount")
    place.at("resourceClaims").unique(each.name for each in spec.resourceClaims)
    for index, claim in enumerate(spec.resourceClaims):
        names = ("resourceClaimName", "resourceClaimTemplateName")
        place.at("resourceClaims", index).exactly_one([n for n in names if getattr(claim, n)], ", ".join(names))


def _check_dns(spec: PodSpec, place: Place) -> None:
    config = spec.dnsConfig
    if spec.dnsPolicy == "None" and not (config and config.nameservers):
        place.at("dnsConfig", "nameservers").note("is missing", "dnsPolicy: None needs at least one name server")
    for index, option in enumerate(config.options if config else ()):
        place.at("dnsConfig", "options", index, "name").require(option.name)
    if config and len(config.nameservers) > MAX_NAMESERVERS:
        place.at("dnsConfig", "nameservers").note(f"there are more than {MAX_NAMESERVERS}")
    if config and (len(config.searches) > MAX_SEARCHES or len(" ".join(config.searches)) > 2048):
        place.at("dnsConfig", "searches").note(f"there are more than {MAX_SEARCHES}, or more than 2048 characters")


def _check_pod_resources(spec: PodSpec, place: Place) -> None:
    check_amounts(spec.overhead, place.at("overhead"))
    if not spec.resources:
        return
    here = place.at("resources")
    check_resources(spec.resources, here, POD_RESOURCES)
    if spec.resources.claims:
        here.at("claims").note("cannot be set for a whole Pod", "set them for a container")
    _check_sum(spec, here)


def _check_sum(spec: PodSpec, place: Place) -> None:
    """The Pod's requests cover those of its containers together, and its limits those of each."""
    pod = spec.resources
    if pod is None:
        return
    problems: Place = Place(place.document, [], place.path)
    limits = check_amounts(pod.limits, problems, POD_RESOURCES)
    requests = check_amounts(pod.requests, problems, POD_RESOURCES)
    sums: dict[str, float] = {}
    for container in spec.containers:
        resources = container.resources
        if resources is None:
            continue
        for name, amount in check_amounts(resources.requests, problems).items():
            sums[name] = sums.get(name, 0) + amount
        for name, amount in check_amounts(resources.limits, problems).items():
            if amount > limits.get(name, amount):
                place.at("limits", name).note(f'is less than that of container "{container.name}"')
    _check_covered(requests, sums, place.at("requests"))


def _check_covered(requests: Mapping[str, float], sums: Mapping[str, float], place: Place) -> None:
    for name, amount in requests.items():
        if sums.get(name, 0) > amount:
            place.at(name).note("is less than the containers request together")
