"""Images on disk, right and wrong, for the tests of the layout's reader."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from casemate.images import oci
from casemate.images.build import File, Settings, write
from casemate.images.reference import parse

NAME = parse("casemate.local/app:1")
LAYER = b"a layer, which need not be a tar to be checked" * 1000


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def blob(raw: bytes) -> str:
    return "blobs/" + digest(raw).replace(":", "/")


def descriptor(raw: bytes, media_type: str, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(raw), "size": len(raw), **more}


def image(
    layer: bytes = LAYER, diff_id: str = "", layer_type: str = oci.OCI_LAYER, **config: object
) -> tuple[dict[str, bytes], bytes]:
    """The blobs of an image by file name, and its manifest."""
    here = oci.host_platform()
    told = {"architecture": here.architecture, "os": here.os, **config}
    settings = json.dumps({**told, "rootfs": {"type": "layers", "diff_ids": [diff_id or digest(layer)]}}).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": descriptor(settings, oci.OCI_CONFIG),
            "layers": [descriptor(layer, layer_type)],
        }
    ).encode()
    return {blob(layer): layer, blob(settings): settings, blob(manifest): manifest}, manifest


def index(*descriptors: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": list(descriptors)}).encode()


def one_image() -> dict[str, bytes]:
    """The files of a layout with one image."""
    blobs, manifest = image()
    return {"oci-layout": b"{}", "index.json": index(descriptor(manifest, oci.OCI_MANIFEST)), **blobs}


def gzipped(*parts: bytes) -> dict[str, bytes]:
    """A layout whose layer is several gzips in a row."""
    packed = b"".join(gzip.compress(part, mtime=0) for part in parts)
    blobs, manifest = image(packed, digest(b"".join(parts)), f"{oci.OCI_LAYER}+gzip")
    return {"index.json": index(descriptor(manifest, oci.OCI_MANIFEST)), **blobs}


def as_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_tar(path: Path, files: Mapping[str, bytes], more: tuple[tarfile.TarInfo, ...] = ()) -> Path:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for member in more:
            tar.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def built(path: Path) -> Path:
    write(path, NAME, [File("/hello", b"hello")], Settings())
    return path
