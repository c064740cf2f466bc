"""Images made from files, the same bytes each time.

1. One uncompressed layer: entries sorted by path, parents first, times zero, owners and modes as given.
2. The config has no history and the time 1970; so equal files and settings give equal digests on any machine of one
   architecture.
3. The result is an OCI layout in a tar, which `casemate.images.layout` reads, checks and the engine takes.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from casemate.errors import InputError
from casemate.images import oci
from casemate.images.oci import Descriptor, Index, Manifest
from casemate.images.reference import Reference

_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class File:
    """A regular file; `content` is its bytes or a file on this machine."""

    path: str
    content: bytes | Path
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True)
class Folder:
    """A directory; those on the way to other entries need not be named."""

    path: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


Entry = File | Link | Folder


@dataclass(frozen=True)
class Settings:
    """How a container of the image starts, unless its Pod says otherwise."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    working_directory: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Documents:
    """An image's manifest and config, byte by byte."""

    manifest: bytes
    config: bytes
    media_type: str = oci.OCI_MANIFEST


def tree(root: Path, under: str = "/") -> tuple[Entry, ...]:
    """The files, folders and links below `root` on this machine as entries below `under`; owners become 0.

    Raises `InputError` for sockets, devices and pipes.
    """
    entries: list[Entry] = []
    for found in sorted(root.rglob("*")):
        path, mode = str(PurePosixPath(under, found.relative_to(root))), found.lstat().st_mode
        if stat.S_ISLNK(mode):
            entries.append(Link(path, str(found.readlink())))
        elif stat.S_ISDIR(mode):
            entries.append(Folder(path, mode & 0o7777))
        elif stat.S_ISREG(mode):
            entries.append(File(path, found, mode & 0o7777))
        else:
            raise InputError("neither file, folder nor link: no part of an image", where=str(found))
    return tuple(entries)


def write(output: Path, name: Reference, entries: Iterable[Entry], settings: Settings) -> str:
    """Write the image called `name` as an OCI layout tar to `output`, whole or not at all; its manifest's digest."""
    with tempfile.TemporaryFile() as layer:
        _write_layer(layer, entries)
        size = layer.tell()
        layer.seek(0)
        digest = f"sha256:{hashlib.file_digest(layer, 'sha256').hexdigest()}"
        config = _config(settings, digest)
        manifest = msgspec.json.encode(
            Manifest(
                config=Descriptor(mediaType=oci.OCI_CONFIG, digest=_digest(config), size=len(config)),
                layers=(Descriptor(mediaType=oci.OCI_LAYER, digest=digest, size=size),),
            )
        )
        layer.seek(0)
        unfinished = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            with unfinished.open("wb") as stream:
                write_layout(stream, name, Documents(manifest, config), [(digest, size, layer)])
            unfinished.replace(output)
        finally:
            unfinished.unlink(missing_ok=True)
    return _digest(manifest)


def write_layout(
    output: IO[bytes], name: Reference, documents: Documents, layers: Iterable[tuple[str, int, IO[bytes]]]
) -> None:
    """Write an OCI layout tar with one image called `name`; `layers` are digest, size and a stream at its start."""
    manifest = Descriptor(
        mediaType=documents.media_type,
        digest=_digest(documents.manifest),
        size=len(documents.manifest),
        annotations={oci.CONTAINERD_NAME: name.engine_name, oci.REF_NAME: name.tag or name.digest},
    )
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", msgspec.json.encode(Index(manifests=(manifest,))))
        _add(tar, _blob(manifest.digest), documents.manifest)
        _add(tar, _blob(_digest(documents.config)), documents.config)
        for digest, size, stream in layers:
            member = _member(_blob(digest), 0o644)
            member.size = size
            tar.addfile(member, stream)


def _write_layer(output: IO[bytes], entries: Iterable[Entry]) -> None:
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in _with_parents(entries):
            _add_entry(tar, entry)


def _with_parents(entries: Iterable[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        path = _relative(entry.path)
        if path in found:
            raise InputError("the image has this path twice", where=entry.path)
        found[path] = entry
    for path in list(found):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                found.setdefault(str(parent), Folder(str(parent)))
    return [found[path] for path in sorted(found)]


def _relative(path: str) -> str:
    relative = PurePosixPath("/", path).relative_to("/")
    if not relative.parts or ".." in relative.parts:
        raise InputError("not a path inside of an image", where=path)
    return str(relative)


def _add_entry(tar: tarfile.TarFile, entry: Entry) -> None:
    path = _relative(entry.path)
    match entry:
        case File(content=bytes() as content):
            _add(tar, path, content, entry.mode, entry.uid, entry.gid)
        case File(content=Path() as source):
            with source.open("rb") as stream:
                member = _member(path, entry.mode, entry.uid, entry.gid)
                member.size = os.fstat(stream.fileno()).st_size
                tar.addfile(member, stream)
        case Link():
            member = _member(path, 0o777)
            member.type, member.linkname = tarfile.SYMTYPE, entry.target
            tar.addfile(member)
        case Folder():
            member = _member(path, entry.mode, entry.uid, entry.gid)
            member.type = tarfile.DIRTYPE
            tar.addfile(member)


def _member(path: str, mode: int, uid: int = 0, gid: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.mode, member.uid, member.gid = mode, uid, gid
    return member


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
    member = _member(path, mode, uid, gid)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _config(settings: Settings, diff_id: str) -> bytes:
    here = oci.host_platform()
    run = {
        "User": settings.user,
        "Env": [f"{key}={value}" for key, value in settings.environment.items()],
        "Entrypoint": list(settings.entrypoint),
        "Cmd": list(settings.command),
        "WorkingDir": settings.working_directory,
        "Labels": dict(settings.labels),
    }
    document = {
        "created": _EPOCH,
        "architecture": here.architecture,
        "os": here.os,
        "config": {key: value for key, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }
    return msgspec.json.encode(document, order="sorted")


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
