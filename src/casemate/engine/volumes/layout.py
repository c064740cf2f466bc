"""Where a Pod's volumes and files lie, as a kubelet lays them out below its own folder.

<pods>/<uid>/volumes/kubernetes.io~<kind>/<name>            the volumes
<pods>/<uid>/volume-subpaths/<volume>/<container>/<index>   parts of volumes, bound
<pods>/<uid>/containers/<container>/<restarts>              last words of each start
<pods>/<uid>/made/<volume>                                  marks a volume that needs no making again
<pods>/<uid>/etc-hosts
"""

from __future__ import annotations

from pathlib import Path

from casemate.engine.paths import EnginePaths

ETC_HOSTS = "etc-hosts"


def pod_folder(paths: EnginePaths, uid: str) -> Path:
    """The Pod's folder."""
    return paths.pods / uid


def volume_folder(pod: Path, kind: str, name: str) -> Path:
    """A volume's folder; `kind` such as `empty-dir`, `configmap`."""
    return pod / "volumes" / f"kubernetes.io~{kind}" / name


def subpath_target(pod: Path, volume: str, container: str, index: int) -> Path:
    """Where a part of a volume is bound for one mount of a container."""
    return pod / "volume-subpaths" / volume / container / str(index)


def termination_file(paths: EnginePaths, uid: str, container: str, restarts: int) -> Path:
    """What is mounted at the container's `terminationMessagePath`."""
    return pod_folder(paths, uid) / "containers" / container / str(restarts)


def made_mark(pod: Path, volume: str) -> Path:
    """The file that says that a volume has been made."""
    return pod / "made" / volume


def claim_folder(paths: EnginePaths, namespace: str, name: str) -> Path:
    """The directory behind a PersistentVolumeClaim."""
    return paths.claims / namespace / name
