"""image volumes: an image's files, read-only.

1. An engine that mounts images itself (containerd 2.1) is given the image's name.
2. On others containerd's own tool `ctr` mounts it, from the layers that the engine has already unpacked.
3. CRI knows an image by the digest of its config, `ctr` by names only: a name is found whose image has that config.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from casemate.engine.volumes import kernel
from casemate.errors import MissingError, RuntimeFault

_NAMESPACE = "k8s.io"


class _Descriptor(msgspec.Struct, frozen=True):
    digest: str


class _Manifest(msgspec.Struct, frozen=True):
    """A manifest, or an index of several."""

    config: _Descriptor | None = None
    manifests: tuple[_Descriptor, ...] = ()


def mount(socket: Path, image: str, folder: Path) -> None:
    """Mount an image that the engine has, read-only, at `folder`. Does nothing when something is mounted there.

    `image` is a name or an id. Raises `RuntimeFault` when the engine has no such image, `MissingError` without ctr.
    """
    if folder.exists() and kernel.is_mount_point(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    _ctr(socket, "images", "mount", _name(socket, image), str(folder))


def forget(socket: Path, folder: Path) -> None:
    """Remove the engine's record of an image that was mounted at `folder`; none is no error."""
    for words in (("snapshots", "remove", str(folder)), ("leases", "delete", str(folder))):
        subprocess.run(_command(socket, *words), capture_output=True, check=False)


def _name(socket: Path, image: str) -> str:
    names = dict(line.split()[:1] + line.split()[2:3] for line in _ctr(socket, "images", "list").splitlines()[1:])
    if image in names:
        return image
    for name, digest in names.items():
        if image in _configs(socket, digest):
            return name
    raise RuntimeFault(f"the engine has no image {image}", fix="run again, so that it is pulled")


def _configs(socket: Path, digest: str) -> Iterator[str]:
    """Digests of the configs of an image, one for each platform whose manifest the engine has."""
    try:
        found = msgspec.json.decode(_ctr(socket, "content", "get", digest), type=_Manifest)
    except RuntimeFault:  # a platform that was never pulled
        return
    if found.config:
        yield found.config.digest
    for each in found.manifests:
        yield from _configs(socket, each.digest)


def _ctr(socket: Path, *words: str) -> str:
    done = subprocess.run(_command(socket, *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeFault(f"ctr {' '.join(words[:2])}: {done.stderr.strip().removeprefix('ctr: ')}", where=words[-1])
    return done.stdout


def _command(socket: Path, *words: str) -> list[str]:
    tool = shutil.which("ctr")
    if tool is None:
        raise MissingError("containerd's tool ctr is not installed", fix="casemate engine install")
    return [tool, "--address", str(socket), "--namespace", _NAMESPACE, *words]
