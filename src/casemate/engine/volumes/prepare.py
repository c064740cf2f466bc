"""Making a Pod's volumes and taking them away.

1. All volumes are made before the sandbox starts, and the folders of logs. Making them again changes nothing that a
   container wrote.
2. configMap: files on disk. secret, downwardAPI, projected: files in memory. All are read-only to containers.
3. persistentVolumeClaim: a local directory that outlives the Pod; the claim must be in the input. A generic ephemeral
   volume is one that goes with the Pod.
4. fsGroup is given every volume that is the Pod's own or a claim's; hostPath and image stay as they are.
5. Kinds that need a storage system are refused.
6. Taking away unmounts first, in this order, and removes files only when nothing is mounted any more: no file of a
   hostPath or claim is ever removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from casemate.engine.instance import PodInstance
from casemate.engine.paths import EnginePaths
from casemate.engine.translate.objects import missing
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.volumes import atomic, emptydir, hostpath, images, kernel, layout, ownership
from casemate.engine.volumes.nested import nested_mount_points
from casemate.engine.volumes.payload import PayloadSources, payload
from casemate.errors import RefusedError, RuntimeFault
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.volumes import Volume


@dataclass(frozen=True)
class MountedVolume:
    """A volume that is ready: `path` on the node, or the `image` that the engine mounts itself.

    `relabel` lets the engine give it the container's SELinux label, where the node has SELinux.
    """

    path: Path = Path()
    image: str = ""
    read_only: bool = False
    relabel: bool = False


@dataclass(frozen=True)
class MountPlan:
    """A Pod's ready volumes by name, and its folder."""

    pod: Path
    volumes: Mapping[str, MountedVolume]


@dataclass(frozen=True)
class VolumeSources:
    """What volumes are made from.

    `images` has the engine's name for the image of each image volume; `native_images` says that the engine mounts
    images itself (containerd 2.1 and later); `socket` is containerd's, where it is not the engine's own.
    """

    inventory: Inventory
    paths: EnginePaths
    node: NodeFacts
    images: Mapping[str, str] = field(default_factory=dict)
    native_images: bool = False
    socket: Path | None = None


def prepare(instance: PodInstance, sources: VolumeSources) -> MountPlan:
    """Make the Pod's volumes. Must run in the engine's mount namespace.

    Raises `InputError` for what is missing, `RefusedError` for a kind that is not offered, `RuntimeFault` when the node
    fails (a full disk, say). What was made before the error stays until `teardown`.
    """
    pod = layout.pod_folder(sources.paths, instance.uid)
    where = f"Pod {instance.namespace}/{instance.name}"
    ready: dict[str, MountedVolume] = {}
    try:
        pod.mkdir(mode=0o750, parents=True, exist_ok=True)
        _make_log_folders(instance, sources.paths)
        for volume in pod_spec(instance).volumes:
            where = f"Pod {instance.namespace}/{instance.name}, volume {volume.name}"
            ready[volume.name] = _make(volume, instance, pod, sources)
    except OSError as error:
        raise RuntimeFault(f"cannot make the Pod's volumes: {error.strerror}", where=where) from error
    return MountPlan(pod, ready)


def teardown(paths: EnginePaths, uid: str, socket: Path | None = None) -> None:
    """Unmount and remove all that was made for the Pod, with its logs. Nothing there is no error."""
    pod = layout.pod_folder(paths, uid)
    for point in kernel.mount_points(pod):
        kernel.unmount(point)
    if left := kernel.mount_points(pod):
        raise RuntimeFault(f"still mounted: {left[0]}", where=str(pod), fix="unmount it, then run down again")
    for folder in pod.glob("volumes/kubernetes.io~image/*"):
        images.forget(socket or paths.socket, folder)
    for folder in (pod, *paths.logs.glob(f"*_{uid}")):
        if folder.exists():
            shutil.rmtree(folder)


def remove_claim(paths: EnginePaths, namespace: str, name: str) -> None:
    """Remove the directory behind a claim with all data. Nothing there is no error."""
    folder = layout.claim_folder(paths, namespace, name)
    if folder.exists():
        shutil.rmtree(folder)


def _make_log_folders(instance: PodInstance, paths: EnginePaths) -> None:
    """The engine writes logs, but makes no folder for them."""
    spec = pod_spec(instance)
    for container in (*spec.initContainers, *spec.containers):
        (paths.logs / instance.log_directory / container.name).mkdir(mode=0o755, parents=True, exist_ok=True)


def _make(volume: Volume, instance: PodInstance, pod: Path, sources: VolumeSources) -> MountedVolume:
    files = PayloadSources(instance, sources.inventory, sources.node)
    if volume.emptyDir or volume.ephemeral:
        return _make_scratch(volume, instance, pod, sources)
    if volume.hostPath:
        return MountedVolume(hostpath.prepare(volume.hostPath))
    if volume.persistentVolumeClaim:
        return _make_claim(volume, instance, pod, sources)
    if volume.image:
        return _make_image(volume, pod, sources)
    if volume.configMap:
        return _make_files(volume, files, layout.volume_folder(pod, "configmap", volume.name), in_memory=False)
    if kind := next((kind for kind in ("secret", "downwardAPI", "projected") if getattr(volume, kind)), None):
        return _make_files(volume, files, layout.volume_folder(pod, kind.lower(), volume.name), in_memory=True)
    raise RefusedError(
        f"volume {volume.name!r} is of kind {_kind(volume)}, which needs a storage system",
        where=f"Pod {instance.namespace}/{instance.name}",
        fix="use emptyDir, hostPath or persistentVolumeClaim",
    )


def _make_scratch(volume: Volume, instance: PodInstance, pod: Path, sources: VolumeSources) -> MountedVolume:
    """emptyDir or a generic ephemeral volume: it is empty at first and goes with the Pod."""
    spec = pod_spec(instance)
    folder = layout.volume_folder(pod, emptydir.KIND if volume.emptyDir else "local-volume", volume.name)
    mark = layout.made_mark(pod, volume.name)
    if emptydir.make(volume.emptyDir or emptydir.ON_DISK, folder, instance, sources.node) or not mark.exists():
        _give_group(folder, spec)
    _mark(mark)
    return MountedVolume(folder, relabel=True)


def _make_claim(volume: Volume, instance: PodInstance, pod: Path, sources: VolumeSources) -> MountedVolume:
    source = volume.persistentVolumeClaim
    assert source is not None
    if sources.inventory.claim(instance.namespace, source.claimName) is None:
        raise missing(instance, f"PersistentVolumeClaim {instance.namespace}/{source.claimName}")
    folder = layout.claim_folder(sources.paths, instance.namespace, source.claimName)
    _make_open(folder)
    mark = layout.made_mark(pod, volume.name)
    if not mark.exists():
        _give_group(folder, pod_spec(instance), read_only=bool(source.readOnly), policy=True)
        _mark(mark)
    return MountedVolume(folder, read_only=bool(source.readOnly))


def _make_image(volume: Volume, pod: Path, sources: VolumeSources) -> MountedVolume:
    image = sources.images[volume.name]
    if sources.native_images:
        return MountedVolume(image=image, read_only=True)
    folder = layout.volume_folder(pod, "image", volume.name)
    images.mount(sources.socket or sources.paths.socket, image, folder)
    return MountedVolume(folder, read_only=True)


def _make_files(volume: Volume, sources: PayloadSources, folder: Path, *, in_memory: bool) -> MountedVolume:
    spec = pod_spec(sources.instance)
    files = payload(volume, sources)
    _make_open(folder)
    if in_memory and not kernel.is_mount_point(folder):
        emptydir.mount_tmpfs(folder)
    for nested in nested_mount_points(volume.name, spec):
        (folder / nested).mkdir(mode=0o755, parents=True, exist_ok=True)
    atomic.write(folder, files or {}, lambda top: _give_group(top, spec, read_only=True))
    return MountedVolume(folder, read_only=True, relabel=True)


def _give_group(folder: Path, spec: PodSpec, *, read_only: bool = False, policy: bool = False) -> None:
    context = spec.securityContext
    if context is None or context.fsGroup is None:
        return
    on_mismatch = policy and context.fsGroupChangePolicy == "OnRootMismatch"
    if not on_mismatch or ownership.needs_giving(folder, context.fsGroup, read_only=read_only):
        ownership.give(folder, context.fsGroup, read_only=read_only)


def _make_open(folder: Path) -> None:
    """A folder open to all; one that is there keeps its rights."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(0o777)


def _mark(mark: Path) -> None:
    mark.parent.mkdir(mode=0o750, exist_ok=True)
    mark.touch()


def _kind(volume: Volume) -> str:
    kinds = (each.name for each in msgspec.structs.fields(volume) if each.name != "name")
    return next((kind for kind in kinds if getattr(volume, kind) is not None), "unknown")
