"""The documents of an image (OCI image spec 1.1, Docker's image manifest v2 schema 2), as far as we read them."""

from __future__ import annotations

import platform
from typing import TypeVar

import msgspec

from casemate.errors import InputError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEXES = frozenset({OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"})
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({OCI_CONFIG, "application/vnd.docker.container.image.v1+json"})
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"

LARGEST_DOCUMENT = 4 << 20
"""Bytes; registries and containerd refuse manifests beyond it too."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an image was made for."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A blob by digest and size (bytes), with what is said about it."""

    mediaType: str = ""  # noqa: N815
    digest: str
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """Several manifests: platforms of one image, or images of one layout."""

    schemaVersion: int = 2  # noqa: N815
    mediaType: str = OCI_INDEX  # noqa: N815
    manifests: tuple[Descriptor, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One image for one platform."""

    schemaVersion: int = 2  # noqa: N815
    mediaType: str = OCI_MANIFEST  # noqa: N815
    config: Descriptor
    layers: tuple[Descriptor, ...]


class RootFilesystem(msgspec.Struct, frozen=True):
    """Digests of the layers as they are when unpacked from gzip or zstd."""

    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is made for and of."""

    architecture: str = ""
    os: str = ""
    rootfs: RootFilesystem = RootFilesystem()


_Document = TypeVar("_Document")


def decode(raw: bytes, kind: type[_Document], where: str) -> _Document:
    """The document in `raw`. Raises `InputError` for what is no JSON or not of that kind."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"not an image's {kind.__name__.lower()}: {error}", where=where) from None


def host_platform() -> Platform:
    """What images must be made for to run here."""
    machine = platform.machine()
    return Platform(architecture=_ARCHITECTURES.get(machine, machine), os="linux")
