"""Images from files: OCI layouts (directory or tar) and archives of `docker save`.

1. Every blob's size and digest is checked against what refers to it, from the index down, before anything is used; a
   layer's content, unpacked, is checked against the config's diff_ids too (gzip and plain; zstd is left to the engine).
2. Of several platforms one that runs here is taken (`casemate.images.platforms`); of several images the one that bears
   the wanted name.
3. Documents are at most 4 MiB, indexes nest at most three deep, layers are at most 500 and unpack to at most 64 GiB.
4. An archive of `docker save` without an OCI index has no manifest: its layers are checked against the config's
   diff_ids, its config against its own name where that is a digest, and a manifest is made.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from casemate.errors import InputError
from casemate.images import oci, platforms
from casemate.images.build import Documents
from casemate.images.files import Files, open_files
from casemate.images.oci import Config, Descriptor, Index, Manifest
from casemate.images.reference import Reference, is_digest

_CHUNK = 1 << 20
_GZIP = zlib.MAX_WBITS | 16
_DEEPEST = 3
_MOST_LAYERS = 500
_LARGEST_UNPACKED = 64 << 30


@dataclass(frozen=True)
class Image:
    """An image for this platform, all of it checked.

    `digests` leads from the layout's index to the manifest as it lies there, whose digest comes last.
    """

    digests: tuple[str, ...]
    documents: Documents
    layers: tuple[tuple[Descriptor, str], ...]
    files: Files

    @property
    def digest(self) -> str:
        """The manifest's digest, as the engine gets it."""
        return _digest("sha256:", self.documents.manifest)

    @property
    def id(self) -> str:
        """The image's id: its config's digest."""
        return _digest("sha256:", self.documents.config)

    def open_layers(self) -> Iterator[tuple[Descriptor, BinaryIO]]:
        """Each different layer with a stream that begins at its first byte."""
        for layer, name in {layer.digest: (layer, name) for layer, name in self.layers}.values():
            stream, _ = self.files.open(name)
            with stream:
                yield layer, stream


def read(path: Path, wanted: Reference | None = None) -> Image:
    """The image in the directory or tar at `path`. `wanted` chooses among several. Raises `InputError`."""
    files = open_files(path)
    names = files.names()
    if "index.json" in names:
        index = oci.decode(_whole(files, "index.json"), Index, f"{path}: index.json")
        return _from_index(files, _choose(index, wanted, path), (), 0)
    if "manifest.json" in names:
        return _from_docker(files, wanted)
    raise InputError("neither an OCI layout nor an archive of docker save: it has no index.json", where=str(path))


def _from_index(files: Files, descriptor: Descriptor, path: tuple[str, ...], depth: int) -> Image:
    where = f"{files.path}: {descriptor.digest}"
    if descriptor.mediaType in oci.MANIFESTS:
        return _from_manifest(files, descriptor, (*path, descriptor.digest))
    if descriptor.mediaType not in oci.INDEXES:
        raise InputError(f"not an image: media type {descriptor.mediaType!r}", where=where)
    if depth >= _DEEPEST:
        raise InputError(f"indexes nest deeper than {_DEEPEST}", where=where)
    index = oci.decode(_document(files, descriptor), Index, where)
    return _from_index(files, platforms.choose(index.manifests, where), (*path, descriptor.digest), depth + 1)


def _from_manifest(files: Files, descriptor: Descriptor, digests: tuple[str, ...]) -> Image:
    where = f"{files.path}: {descriptor.digest}"
    raw = _document(files, descriptor)
    manifest = oci.decode(raw, Manifest, where)
    if manifest.config.mediaType not in oci.CONFIGS:
        raise InputError(f"an artifact, not an image: its config is {manifest.config.mediaType!r}", where=where)
    raw_config = _document(files, manifest.config)
    config = _parse_config(raw_config, len(manifest.layers), f"{files.path}: {manifest.config.digest}")
    layers = tuple((layer, _blob_name(layer, files)) for layer in manifest.layers)
    for (layer, name), diff_id in zip(layers, config.rootfs.diff_ids, strict=True):
        _verify_layer(files, name, layer, diff_id)
    documents = platforms.for_engine(Documents(raw, raw_config, descriptor.mediaType), config)
    return Image(digests, documents, layers, files)


def _parse_config(config: bytes, layers: int, where: str) -> Config:
    parsed = oci.decode(config, Config, where)
    platforms.check(parsed, where)
    if len(parsed.rootfs.diff_ids) != layers or layers > _MOST_LAYERS:
        told = f"{len(parsed.rootfs.diff_ids)} diff_ids for {layers} layers (at most {_MOST_LAYERS})"
        raise InputError(f"the image's config and manifest disagree: {told}", where=where)
    return parsed


def _choose(index: Index, wanted: Reference | None, path: Path) -> Descriptor:
    named = [each for each in index.manifests if _bears(each, wanted)]
    found = named or list(index.manifests)
    if len({each.digest for each in found}) == 1:
        return found[0]
    if all(each.platform for each in found):
        return platforms.choose(found, str(path))
    names = sorted(filter(None, (_name(each) for each in index.manifests)))
    what = f"the layout has {len(index.manifests)} images: {', '.join(names) or 'without names'}"
    raise InputError(what, where=str(path), fix="give the image the name that it has in the layout")


def _name(descriptor: Descriptor) -> str:
    return descriptor.annotations.get(oci.CONTAINERD_NAME) or descriptor.annotations.get(oci.REF_NAME, "")


def _bears(descriptor: Descriptor, wanted: Reference | None) -> bool:
    if wanted is None or not _name(descriptor):
        return False
    short = str(wanted).removeprefix("docker.io/library/")
    return _name(descriptor) in (str(wanted), wanted.engine_name, wanted.tag, short)


def _blob_name(descriptor: Descriptor, files: Files) -> str:
    if not is_digest(descriptor.digest):
        raise InputError(f"{descriptor.digest[:100]!r} is no digest", where=str(files.path))
    return "blobs/" + descriptor.digest.replace(":", "/")


def _whole(files: Files, name: str) -> bytes:
    stream, size = files.open(name)
    with stream:
        if size > oci.LARGEST_DOCUMENT:
            raise InputError(f"larger than {oci.LARGEST_DOCUMENT} bytes", where=f"{files.path}: {name}")
        return stream.read(size)


def _document(files: Files, descriptor: Descriptor) -> bytes:
    name = _blob_name(descriptor, files)
    raw = _whole(files, name)
    _compare(files, name, "size", len(raw), descriptor.size)
    _compare(files, name, "digest", _digest(descriptor.digest, raw), descriptor.digest)
    return raw


def _digest(like: str, raw: bytes) -> str:
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def _compare(files: Files, name: str, what: str, found: object, told: object) -> None:
    if found != told:
        raise InputError(
            f"the image is damaged: the blob's {what} is {found}, its descriptor says {told}",
            where=f"{files.path}: {name}",
            fix="make or fetch the image anew",
        )


def _verify_layer(files: Files, name: str, layer: Descriptor, diff_id: str) -> None:
    stream, size = files.open(name)
    with stream:
        _compare(files, name, "size", size, layer.size)
        digest, unpacked = _hashes(stream, size, layer, diff_id, f"{files.path}: {name}")
    _compare(files, name, "digest", digest, layer.digest)
    if unpacked:
        _compare(files, name, "diff_id", unpacked, diff_id)


def _hashes(stream: BinaryIO, size: int, layer: Descriptor, diff_id: str, where: str) -> tuple[str, str]:
    if not is_digest(diff_id):
        raise InputError(f"{diff_id[:100]!r} is no digest", where=where)
    packed = hashlib.new(layer.digest.partition(":")[0])
    content = hashlib.new(diff_id.partition(":")[0])
    zipped, unreadable = layer.mediaType.endswith("gzip"), layer.mediaType.endswith("zstd")
    parts = _hashed(_parts(stream, size), packed)
    for piece in _gunzip(parts, where) if zipped else parts:
        if not unreadable:
            content.update(piece)
    return _told(packed), "" if unreadable else _told(content)


def _told(digest: hashlib._Hash) -> str:
    return f"{digest.name}:{digest.hexdigest()}"


def _parts(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (part := stream.read(min(size, _CHUNK))):
        size -= len(part)
        yield part


def _hashed(parts: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for part in parts:
        digest.update(part)
        yield part


def _gunzip(parts: Iterator[bytes], where: str) -> Iterator[bytes]:
    inflate = zlib.decompressobj(_GZIP)
    total = 0
    try:
        for part in parts:
            rest = part
            while rest:
                inflate = zlib.decompressobj(_GZIP) if inflate.eof else inflate  # several gzips in a row are one
                piece = inflate.decompress(rest, _CHUNK)
                rest = inflate.unconsumed_tail or inflate.unused_data
                total += len(piece)
                if total > _LARGEST_UNPACKED:
                    raise InputError(f"the layer unpacks to more than {_LARGEST_UNPACKED >> 30} GiB", where=where)
                yield piece
        yield inflate.flush()
    except zlib.error as error:
        raise InputError(f"the layer is no gzip: {error}", where=where) from None
    if not inflate.eof:
        raise InputError("the layer's gzip is cut off", where=where)


class _DockerImage(msgspec.Struct, frozen=True):
    Config: str
    Layers: tuple[str, ...]
    RepoTags: tuple[str, ...] | None = None


def _from_docker(files: Files, wanted: Reference | None) -> Image:
    where = f"{files.path}: manifest.json"
    images = oci.decode(_whole(files, "manifest.json"), tuple[_DockerImage, ...], where)
    named = [
        each for each in images if wanted and str(wanted).removeprefix("docker.io/library/") in (each.RepoTags or ())
    ]
    found = named or list(images)
    if len(found) != 1:
        raise InputError(f"the archive has {len(images)} images", where=where, fix="give one of its names")
    return _docker_image(files, found[0])


def _docker_image(files: Files, image: _DockerImage) -> Image:
    raw = _whole(files, image.Config)
    stem = image.Config.removesuffix(".json").rpartition("/")[2]
    if is_digest(f"sha256:{stem}"):
        _compare(files, image.Config, "digest", _digest("sha256:", raw), f"sha256:{stem}")
    diff_ids = _parse_config(raw, len(image.Layers), f"{files.path}: {image.Config}").rootfs.diff_ids
    layers = tuple(
        (_docker_layer(files, name, diff_id), name) for name, diff_id in zip(image.Layers, diff_ids, strict=True)
    )
    config = Descriptor(mediaType=oci.OCI_CONFIG, digest=_digest("sha256:", raw), size=len(raw))
    manifest = msgspec.json.encode(Manifest(config=config, layers=tuple(layer for layer, _ in layers)))
    return Image((_digest("sha256:", manifest),), Documents(manifest, raw), layers, files)


def _docker_layer(files: Files, name: str, diff_id: str) -> Descriptor:
    stream, size = files.open(name)
    with stream:
        layer = Descriptor(mediaType=oci.OCI_LAYER, digest="sha256:", size=size)
        digest, content = _hashes(stream, size, layer, diff_id, f"{files.path}: {name}")
    _compare(files, name, "diff_id", content, diff_id)
    return msgspec.structs.replace(layer, digest=digest)
