"""Make an inventory of decoded documents, checked as an API server and the objects' users would check it.

1. A namespaced object without a namespace is in `default`. `generateName` gets a suffix of five characters.
2. Every object passes the checks of a Kubernetes API server (`casemate.sources.rules`). Defaults are not written down,
   but one: a volume without a source is an emptyDir.
3. Two objects of one kind, namespace and name are a mistake.
4. What a Pod needs and does not call optional is in the inventory (`casemate.sources.rules.references`).
5. All mistakes are raised together, each with its position.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from casemate.model.inventory import Inventory, KubeObject, WorkloadObject
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
from casemate.model.kube.volumes import EmptyDirVolumeSource, Volume
from casemate.model.kube.workloads import CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet
from casemate.sources.document import Document
from casemate.sources.kinds import CLUSTER_KINDS
from casemate.sources.marks import Path
from casemate.sources.problems import Problem, raise_for
from casemate.sources.rules import formats as f
from casemate.sources.rules.fields import check_fields
from casemate.sources.rules.formats import Rule
from casemate.sources.rules.labels import check_metadata
from casemate.sources.rules.objects import check_config_map, check_runtime_class, check_secret, check_service
from casemate.sources.rules.place import Place
from casemate.sources.rules.pods import check_pod_spec
from casemate.sources.rules.references import check_references
from casemate.sources.rules.volumes import SOURCES, check_claim
from casemate.sources.rules.workloads import check_cron_job, check_job, check_replicated

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

_FIELDS: Final[dict[type[KubeObject], str]] = {
    Pod: "pods",
    Deployment: "deployments",
    ReplicaSet: "replica_sets",
    StatefulSet: "stateful_sets",
    DaemonSet: "daemon_sets",
    Job: "jobs",
    CronJob: "cron_jobs",
    ConfigMap: "config_maps",
    Secret: "secrets",
    PersistentVolumeClaim: "claims",
    Service: "services",
    ServiceAccount: "service_accounts",
    Namespace: "namespaces",
    RuntimeClass: "runtime_classes",
}
_NAMES: Final[dict[type[KubeObject], Rule]] = {
    Namespace: f.dns_label,
    Service: f.dns_label,
    StatefulSet: f.dns_label,
}
_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH: Final = 5


def random_suffix() -> str:
    """Five letters and digits, as an API server appends to `generateName`."""
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(_SUFFIX_LENGTH))


def inventory(documents: Sequence[Document], suffix: Callable[[], str] = random_suffix) -> Inventory:
    """The documents' objects by kind. Raises `InputError` that lists every mistake with its position."""
    problems: list[Problem] = []
    by_field: dict[str, list[KubeObject]] = {}
    first: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        place = Place(document, problems)
        _check_object(document.object, place)
        named = _completed(_named(document.object, suffix))
        _check_new(named, document, first, place)
        by_field.setdefault(_FIELDS[type(named)], []).append(named)
    found = msgspec.convert({field: tuple(each) for field, each in by_field.items()}, type=Inventory)
    for document in documents:
        _check_used(document, found, problems)
    raise_for(problems)
    return found


def _check_object(found: KubeObject, place: Place) -> None:
    """Every rule that concerns this object alone."""
    check_fields(found, place)
    check_metadata(found.metadata, place.at("metadata"), _NAMES.get(type(found), f.dns_subdomain))
    if type(found).__name__ in CLUSTER_KINDS and found.metadata and found.metadata.namespace:
        place.at("metadata", "namespace").note(f"a {type(found).__name__} has no namespace", "remove it")
    match found:
        case Pod() | Deployment() | ReplicaSet() | StatefulSet() | DaemonSet() | Job() | CronJob():
            _check_workload(found, place)
        case ConfigMap():
            check_config_map(found, place)
        case Secret():
            check_secret(found, place)
        case Service():
            check_service(found, place)
        case PersistentVolumeClaim():
            check_claim(found.spec, place.at("spec"))
        case RuntimeClass():
            check_runtime_class(found, place)
        case Namespace() | ServiceAccount():
            pass


def _check_workload(found: WorkloadObject, place: Place) -> None:
    match found:
        case Pod():
            check_pod_spec(found.spec, found.metadata, place.at("spec"))
        case Job():
            check_job(found, place)
        case CronJob():
            check_cron_job(found, place)
        case _:
            check_replicated(found, place)


def _pod_spec(found: KubeObject) -> tuple[PodSpec | None, Path]:
    """The Pod specification that an object holds, and its path; None for objects that make no Pods."""
    match found:
        case Pod():
            return found.spec, ("spec",)
        case Deployment() | StatefulSet() | DaemonSet() | Job() | ReplicaSet():
            template = found.spec.template if found.spec else None
            return (template.spec if template else None), ("spec", "template", "spec")
        case CronJob():
            job = found.spec.jobTemplate.spec
            return (job.template.spec if job else None), ("spec", "jobTemplate", "spec", "template", "spec")
        case _:
            return None, ()


def _completed(found: KubeObject) -> KubeObject:
    """Give every volume without a source an empty folder: that is what `emptyDir:` without a value means."""
    spec, path = _pod_spec(found)
    if spec is None or all(map(_has_source, spec.volumes)):
        return found
    empty = EmptyDirVolumeSource()
    volumes = (each if _has_source(each) else msgspec.structs.replace(each, emptyDir=empty) for each in spec.volumes)
    return _with(found, (*path, "volumes"), tuple(volumes))


def _has_source(volume: Volume) -> bool:
    return any(getattr(volume, source) is not None for source in SOURCES)


def _with(struct: _Struct, path: Path, value: object) -> _Struct:
    """A copy of a struct with another value at `path`."""
    name, *rest = path
    new = _with(getattr(struct, str(name)), tuple(rest), value) if rest else value
    return msgspec.structs.replace(struct, **{str(name): new})


def _named(found: KubeObject, suffix: Callable[[], str]) -> KubeObject:
    metadata = found.metadata or ObjectMeta()
    name = metadata.name or (f"{metadata.generateName}{suffix()}" if metadata.generateName else "")
    cluster = type(found).__name__ in CLUSTER_KINDS
    namespace = None if cluster else metadata.namespace or "default"
    return msgspec.structs.replace(found, metadata=msgspec.structs.replace(metadata, name=name, namespace=namespace))


def _check_new(
    named: KubeObject, document: Document, first: dict[tuple[str, str, str], Document], place: Place
) -> None:
    metadata = named.metadata
    if metadata is None or not metadata.name:
        return
    kind = type(named).__name__
    key = (kind, metadata.namespace or "", metadata.name)
    earlier = first.setdefault(key, document)
    if earlier is not document:
        what = f'{kind} "{metadata.name}" is there twice, first at {earlier.where("metadata.name")}'
        place.at("metadata", "name").note(what, "remove or rename one")


def _check_used(document: Document, found: Inventory, problems: list[Problem]) -> None:
    spec, path = _pod_spec(document.object)
    if spec is None:
        return
    metadata = document.object.metadata
    namespace = (metadata and metadata.namespace) or "default"
    made = frozenset[str]()
    if isinstance(document.object, StatefulSet) and document.object.spec:
        templates = document.object.spec.volumeClaimTemplates
        made = frozenset(each.metadata.name for each in templates if each.metadata and each.metadata.name)
    check_references(spec, namespace, found, Place(document, problems, path), made)
