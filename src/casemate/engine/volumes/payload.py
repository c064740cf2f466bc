"""The files of a configMap, secret, downwardAPI or projected volume, worked out before any is written.

1. Without `items` every key is a file of its name; with them only those keys, under the paths that they give.
2. A file's mode is its item's, else `defaultMode`, else 0644.
3. A missing object or key is an error, unless the source is optional: then it gives no file.
4. A downwardAPI file holds metadata of the Pod or a container's request or limit.
5. A projected volume is its sources' files together, a later one in place of an earlier one of the same path. Tokens,
   certificates and trust bundles come from an API server, which the engine has not: they are refused, but an optional
   trust bundle.

Source: k8s.io/kubernetes v1.36: pkg/volume/{configmap,secret,downwardapi,projected}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from casemate.engine.instance import PodInstance
from casemate.engine.translate.fields import metadata_field, resource_field
from casemate.engine.translate.objects import config_map, config_map_files, secret, secret_files
from casemate.errors import InputError, RefusedError
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.kube.volumes import DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection

DEFAULT_MODE = 0o644


@dataclass(frozen=True)
class FileContent:
    """One file of a volume."""

    data: bytes
    mode: int = DEFAULT_MODE


@dataclass(frozen=True)
class PayloadSources:
    """What the files are made from."""

    instance: PodInstance
    inventory: Inventory
    node: NodeFacts


def payload(volume: Volume, sources: PayloadSources) -> dict[str, FileContent] | None:
    """The volume's files by path, or None when it is of another kind. Raises `InputError` for what is missing."""
    if source := volume.configMap:
        return _config_map(sources, source.name, source.items, _mode(source.defaultMode), bool(source.optional))
    if volume.secret:
        own = volume.secret
        return _secret(sources, own.secretName, own.items, _mode(own.defaultMode), bool(own.optional))
    if volume.downwardAPI:
        return _downward(sources, volume.downwardAPI.items, _mode(volume.downwardAPI.defaultMode))
    if volume.projected:
        files: dict[str, FileContent] = {}
        for projection in volume.projected.sources:
            files |= _projection(sources, volume.name, projection, _mode(volume.projected.defaultMode))
        return files
    return None


def clean(path: str) -> str:
    """`path` without doubled slashes. Raises `InputError` when it is absolute, has `..`, or begins with two dots."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise InputError(f"{path!r} is no path within a volume", fix="use a relative path without '..'")
    return "/".join(parts)


def _projection(sources: PayloadSources, volume: str, source: VolumeProjection, mode: int) -> dict[str, FileContent]:
    if own := source.configMap:
        return _config_map(sources, own.name, own.items, mode, bool(own.optional))
    if source.secret:
        return _secret(sources, source.secret.name, source.secret.items, mode, bool(source.secret.optional))
    if source.downwardAPI:
        return _downward(sources, source.downwardAPI.items, mode)
    if source.clusterTrustBundle and source.clusterTrustBundle.optional:
        return {}
    raise RefusedError(
        f"volume {volume!r} projects a token, certificate or trust bundle: only an API server can issue one",
        where=f"Pod {sources.instance.namespace}/{sources.instance.name}",
        fix="remove that source from the volume",
    )


def _config_map(
    sources: PayloadSources, name: str | None, items: Sequence[KeyToPath], mode: int, optional: bool
) -> dict[str, FileContent]:
    found = config_map(sources.instance, sources.inventory, name, optional)
    return _selected(config_map_files(found) if found else {}, items, mode, optional, f"ConfigMap {name}")


def _secret(
    sources: PayloadSources, name: str | None, items: Sequence[KeyToPath], mode: int, optional: bool
) -> dict[str, FileContent]:
    found = secret(sources.instance, sources.inventory, name, optional)
    return _selected(secret_files(found) if found else {}, items, mode, optional, f"Secret {name}")


def _selected(
    files: Mapping[str, bytes], items: Sequence[KeyToPath], mode: int, optional: bool, holder: str
) -> dict[str, FileContent]:
    if not items:
        return {clean(key): FileContent(data, mode) for key, data in files.items()}
    absent = [item.key for item in items if item.key not in files]
    if absent and not optional:
        raise InputError(f"{holder} has no key {absent[0]!r}", fix="add the key, or mark the source optional")
    return {
        clean(item.path): FileContent(files[item.key], mode if item.mode is None else item.mode)
        for item in items
        if item.key in files
    }


def _downward(sources: PayloadSources, items: Sequence[DownwardAPIVolumeFile], mode: int) -> dict[str, FileContent]:
    return {
        clean(item.path): FileContent(_field(sources, item).encode(), mode if item.mode is None else item.mode)
        for item in items
    }


def _field(sources: PayloadSources, item: DownwardAPIVolumeFile) -> str:
    if item.resourceFieldRef:
        return resource_field(sources.instance, None, item.resourceFieldRef, sources.node)
    path = item.fieldRef.fieldPath if item.fieldRef else ""
    value = metadata_field(sources.instance, path)
    if value is None:
        where = f"Pod {sources.instance.namespace}/{sources.instance.name}"
        raise InputError(f"fieldPath {path!r} is not offered in a downwardAPI volume", where=where)
    return value


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode
