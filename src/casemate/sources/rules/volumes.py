"""Volumes: one source each, and where their files come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from casemate.model import quantity
from casemate.model.kube.volumes import (
    DownwardAPIVolumeFile,
    KeyToPath,
    PersistentVolumeClaimSpec,
    Volume,
    VolumeProjection,
)
from casemate.sources.rules import formats as f
from casemate.sources.rules.downward import VOLUME_FIELDS, check_field, check_resource_field
from casemate.sources.rules.place import Place

SOURCES: Final = tuple(name for name in Volume.__struct_fields__ if name != "name")
_PROJECTIONS: Final = VolumeProjection.__struct_fields__


def check_volumes(volumes: tuple[Volume, ...], place: Place, pod: str) -> None:
    """All volumes of the Pod called `pod`; the name is empty in templates."""
    place.unique(each.name for each in volumes)
    created = {f"{pod}-{each.name}" for each in volumes if each.ephemeral} if pod else set()
    for index, volume in enumerate(volumes):
        here = place.at(index)
        here.at("name").require(volume.name)
        chosen = [name for name in SOURCES if getattr(volume, name) is not None]
        if len(chosen) > 1:
            here.exactly_one(chosen, "emptyDir, configMap, …")
        _check_source(volume, here)
        claim = volume.persistentVolumeClaim
        if claim and claim.claimName in created:
            here.at("persistentVolumeClaim").note(f'"{claim.claimName}" is made for an ephemeral volume')


def check_claim(spec: PersistentVolumeClaimSpec | None, place: Place) -> None:
    """A PersistentVolumeClaim's specification."""
    if spec is None:
        place.note("is missing", "add accessModes and resources.requests.storage")
        return
    place.at("accessModes").require(spec.accessModes, "such as [ReadWriteOnce]")
    if "ReadWriteOncePod" in spec.accessModes and len(set(spec.accessModes)) > 1:
        place.at("accessModes").note("ReadWriteOncePod excludes other modes")
    storage = spec.resources.requests.get("storage") if spec.resources else None
    here = place.at("resources", "requests", "storage")
    if storage is None:
        here.note("is missing", "such as storage: 1Gi")
        return
    wrong = f.not_negative_quantity(storage)
    if wrong or quantity.parse(storage) == 0:
        here.note(wrong or "must be more than 0")


def _check_source(volume: Volume, place: Place) -> None:
    if volume.hostPath:
        place.at("hostPath", "path").require(volume.hostPath.path)
    if volume.configMap:
        place.at("configMap", "name").require(volume.configMap.name)
    if volume.secret:
        place.at("secret", "secretName").require(volume.secret.secretName)
    if volume.downwardAPI:
        _check_files(volume.downwardAPI.items, place.at("downwardAPI"))
    if volume.ephemeral:
        template = volume.ephemeral.volumeClaimTemplate
        check_claim(template.spec if template else None, place.at("ephemeral", "volumeClaimTemplate", "spec"))
    if volume.image:
        place.at("image", "reference").require(volume.image.reference)
    if volume.projected:
        _check_projected(volume.projected.sources, place.at("projected"))


def _check_projected(sources: tuple[VolumeProjection, ...], place: Place) -> None:
    paths: set[str] = set()
    for index, source in enumerate(sources):
        here = place.at("sources", index)
        here.exactly_one([name for name in _PROJECTIONS if getattr(source, name)], ", ".join(_PROJECTIONS))
        for name in ("configMap", "secret"):
            projection = getattr(source, name)
            if projection:
                here.at(name, "name").require(projection.name)
                _check_new(projection.items, here.at(name), paths)
        if source.downwardAPI:
            _check_files(source.downwardAPI.items, here.at("downwardAPI"))
            _check_new(source.downwardAPI.items, here.at("downwardAPI"), paths)


def _check_files(files: Iterable[DownwardAPIVolumeFile], place: Place) -> None:
    for index, each in enumerate(files):
        here = place.at("items", index)
        names = ("fieldRef", "resourceFieldRef")
        here.exactly_one([name for name in names if getattr(each, name)], ", ".join(names))
        if each.fieldRef:
            check_field(each.fieldRef, VOLUME_FIELDS, here.at("fieldRef"))
        if each.resourceFieldRef:
            here.at("resourceFieldRef", "containerName").require(each.resourceFieldRef.containerName)
            check_resource_field(each.resourceFieldRef, here.at("resourceFieldRef"))


def _check_new(items: Iterable[KeyToPath | DownwardAPIVolumeFile], place: Place, paths: set[str]) -> None:
    """Sources of one projected volume may not write one file twice; `paths` are those that they have so far."""
    for index, each in enumerate(items):
        if each.path in paths:
            place.at("items", index, "path").note(f'"{each.path}" is written twice')
        paths.add(each.path)
