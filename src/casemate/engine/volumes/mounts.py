"""The mounts of one start of a container.

1. Each volumeMount in order: the volume, or the part of it that `subPath` or `subPathExpr` names. An expression must
   name only variables that have a value.
2. A mount is read-only when it or its volume says so. Recursively so: `Enabled` needs an engine and handler that can,
   else it is refused; `IfPossible` asks for it where they can.
3. /etc/hosts, unless a volume is mounted there.
4. A fresh file for the container's last words, at its `terminationMessagePath`.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kubelet_pods.go, makeMounts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.paths import EnginePaths
from casemate.engine.translate.expansion import expand, references
from casemate.engine.translate.hostname import host_network_hosts_file, hosts_file, pod_hostname
from casemate.engine.translate.labels import termination_message_path
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.volumes import kernel, layout, subpath
from casemate.engine.volumes.prepare import MountedVolume, MountPlan
from casemate.errors import CasemateError, InputError, RefusedError, RuntimeFault
from casemate.model.kube.container import Container
from casemate.model.kube.volumes import VolumeMount

_ETC_HOSTS = "/etc/hosts"
_ENV_FILE_LIMIT = 1 << 20
_PROPAGATION = {
    "HostToContainer": pb.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": pb.PROPAGATION_BIDIRECTIONAL,
}


@dataclass(frozen=True)
class ContainerStart:
    """One start of a container: its variables, the Pod's addresses, how often it was started before.

    `recursive_read_only` is what the engine says of the Pod's handler (`RuntimeHandlerFeatures`).
    """

    env: Mapping[str, str]
    addresses: Sequence[str] = ()
    restarts: int = 0
    recursive_read_only: bool = False


def container_mounts(
    plan: MountPlan, instance: PodInstance, container: Container, start: ContainerStart, paths: EnginePaths
) -> tuple[pb.Mount, ...]:
    """Bind what must be bound and say what to mount. Must run in the engine's mount namespace.

    Raises `InputError` for a subPath that leaves its volume, `RefusedError` for what the handler cannot do.
    """
    where = f"Pod {instance.namespace}/{instance.name}, container {container.name}"
    mounts: list[pb.Mount] = []
    for index, mount in enumerate(container.volumeMounts):
        target = layout.subpath_target(plan.pod, mount.name, container.name, index)
        try:
            mounts.append(_mount(plan.volumes[mount.name], mount, start, target))
        except CasemateError as error:
            error.where = error.where or f"{where}, volumeMounts[{index}]"
            raise
        except OSError as error:
            raise RuntimeFault(f"cannot mount {mount.name}: {error.strerror}", where=where) from error
    if not any(mount.mountPath == _ETC_HOSTS for mount in container.volumeMounts):
        mounts += _hosts(plan.pod, instance, start.addresses)
    return (*mounts, _termination(paths, instance, container, start.restarts))


def env_files(plan: MountPlan, container: Container) -> dict[tuple[str, str], str]:
    """Texts of the files that `fileKeyRef` variables name, by (volume, path); a missing file is left out."""
    wanted = [each.valueFrom.fileKeyRef for each in container.env if each.valueFrom and each.valueFrom.fileKeyRef]
    texts = {(each.volumeName, each.path): _text(plan.volumes[each.volumeName].path, each.path) for each in wanted}
    return {key: text for key, text in texts.items() if text is not None}


def _mount(volume: MountedVolume, mount: VolumeMount, start: ContainerStart, target: Path) -> pb.Mount:
    part = _part(mount, start.env)
    message = pb.Mount(
        container_path=mount.mountPath if mount.mountPath.startswith("/") else f"/{mount.mountPath}",
        readonly=bool(mount.readOnly) or volume.read_only,
        recursive_read_only=_recursive(mount, start.recursive_read_only),
        selinux_relabel=volume.relabel,
        propagation=_PROPAGATION.get(mount.mountPropagation or "", pb.PROPAGATION_PRIVATE),
    )
    if volume.image:
        message.image.image = volume.image
        message.image_sub_path = part
    elif part:
        subpath.bind(volume.path, part, target)
        message.host_path = str(target)
    else:
        message.host_path = str(volume.path)
    return message


def _part(mount: VolumeMount, env: Mapping[str, str]) -> str:
    if not mount.subPathExpr:
        return mount.subPath or ""
    unset = [name for name in references(mount.subPathExpr) if not env.get(name)]
    if unset:
        raise InputError(f"subPathExpr {mount.subPathExpr!r}: {', '.join(unset)} has no value")
    return expand(mount.subPathExpr, env)


def _recursive(mount: VolumeMount, possible: bool) -> bool:
    if mount.recursiveReadOnly == "Enabled" and not possible:
        raise RefusedError(
            "recursiveReadOnly: Enabled is not supported by the Pod's handler", fix="use IfPossible, or another class"
        )
    return possible and mount.recursiveReadOnly in ("Enabled", "IfPossible")


def _hosts(pod: Path, instance: PodInstance, addresses: Sequence[str]) -> list[pb.Mount]:
    spec = pod_spec(instance)
    if not addresses and not spec.hostNetwork:
        return []
    if spec.hostNetwork:
        text = host_network_hosts_file(Path(_ETC_HOSTS).read_text(), spec.hostAliases)
    else:
        text = hosts_file(pod_hostname(instance), addresses, spec.hostAliases)
    path = pod / layout.ETC_HOSTS
    path.write_text(text)
    path.chmod(0o644)
    return [pb.Mount(container_path=_ETC_HOSTS, host_path=str(path), selinux_relabel=True)]


def _termination(paths: EnginePaths, instance: PodInstance, container: Container, restarts: int) -> pb.Mount:
    path = layout.termination_file(paths, instance.uid, container.name, restarts)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o666)
    return pb.Mount(container_path=termination_message_path(container), host_path=str(path), selinux_relabel=True)


def _text(volume: Path, path: str) -> str | None:
    """A file of a volume that containers may have written: opened within the volume, regular, and not huge."""
    top = os.open(volume, os.O_PATH | os.O_DIRECTORY)
    try:
        file = kernel.open_beneath(top, path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        raise subpath.escape(path) from None
    finally:
        os.close(top)
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _ENV_FILE_LIMIT:
            raise InputError(f"{path!r} is no file of variables, or is larger than {_ENV_FILE_LIMIT} bytes")
        return stream.read(_ENV_FILE_LIMIT).decode(errors="replace")
