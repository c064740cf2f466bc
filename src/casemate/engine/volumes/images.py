"""image volumes: an image's files, read-only.

1. An engine that mounts images itself (containerd 2.1) is given the image's name.
2. On others the image is mounted by containerd's own client, from the layers that the engine has already unpacked.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from casemate.engine.volumes import kernel
from casemate.errors import RuntimeFault

_NAMESPACE = "k8s.io"


def mount(socket: Path, image: str, folder: Path) -> None:
    """Mount an image that the engine has, read-only, at `folder`. Does nothing when something is mounted there."""
    if folder.exists() and kernel.is_mount_point(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    _ctr(socket, "images", "mount", image, str(folder))


def forget(socket: Path, folder: Path) -> None:
    """Remove the engine's record of an image that was mounted at `folder`; none is no error."""
    subprocess.run(_command(socket, "snapshots", "remove", str(folder)), capture_output=True, check=False)
    subprocess.run(_command(socket, "leases", "delete", str(folder)), capture_output=True, check=False)


def _ctr(socket: Path, *words: str) -> None:
    done = subprocess.run(_command(socket, *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFault(f"ctr {' '.join(words[:2])}: {done.stderr.strip()}", where=words[2])


def _command(socket: Path, *words: str) -> list[str]:
    return ["ctr", "--address", str(socket), "--namespace", _NAMESPACE, *words]
