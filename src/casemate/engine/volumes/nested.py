"""Mount points inside volumes: a volume mounted below another, read-only one needs its folder there beforehand.

Source: k8s.io/kubernetes v1.36: pkg/volume/util/nested_volumes.go.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec


def nested_mount_points(volume: str, spec: PodSpec) -> tuple[str, ...]:
    """Folders, relative to the volume's top, at which containers mount other volumes; not those below another."""
    members = (*spec.containers, *spec.initContainers)
    return tuple(dict.fromkeys(path for container in members for path in _nested(volume, container)))


def _nested(volume: str, container: Container) -> list[str]:
    points = sorted(PurePosixPath(mount.mountPath) for mount in container.volumeMounts)
    own = [PurePosixPath(mount.mountPath) for mount in container.volumeMounts if mount.name == volume]
    found: list[str] = []
    for top in own:
        below = [point for point in points if top in point.parents]
        found += [str(point.relative_to(top)) for point in below if not any(other in point.parents for other in below)]
    return found
