import gzip
import hashlib
import json
import os
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import LAYER, NAME, as_folder, as_tar, blob, built, descriptor, digest, gzipped, image, index, one_image

from casemate.errors import InputError
from casemate.images import layout, oci
from casemate.images.reference import parse


def test_a_layout_reads_the_same_from_a_folder_and_a_tar(tmp_path: Path) -> None:
    folder = layout.read(as_folder(tmp_path / "folder", one_image()))
    tar = layout.read(as_tar(tmp_path / "i.tar", one_image()))
    assert (folder.digest, folder.id) == (tar.digest, tar.id)
    assert [stream.read(each.size) for each, stream in tar.open_layers()] == [LAYER]


def test_a_layer_may_be_one_gzip_or_several(tmp_path: Path) -> None:
    assert layout.read(as_folder(tmp_path / "one", gzipped(LAYER)))
    assert layout.read(as_folder(tmp_path / "three", gzipped(b"a", b"", LAYER * 50)))


def test_of_several_platforms_the_hosts_is_taken(tmp_path: Path) -> None:
    here = oci.host_platform()
    blobs, manifest = image()
    other_blobs, other = image(architecture="s390x")
    own = {"os": here.os, "architecture": here.architecture}
    inner = index(
        descriptor(other, oci.OCI_MANIFEST, platform={"os": "linux", "architecture": "s390x"}),
        descriptor(manifest, oci.OCI_MANIFEST, platform=own),
        descriptor(b"{}", oci.OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"}),
    )
    files = {"index.json": index(descriptor(inner, oci.OCI_INDEX)), blob(inner): inner, **blobs, **other_blobs}
    found = layout.read(as_folder(tmp_path, files))
    assert found.digests == (digest(inner), digest(manifest))


@pytest.mark.parametrize("system", ["wasi", "wasip1"])
def test_an_image_for_webassembly_is_taken_where_there_is_no_other(tmp_path: Path, system: str) -> None:
    blobs, manifest = image(os=system, architecture="wasm")
    wasm = descriptor(manifest, oci.OCI_MANIFEST, platform={"os": system, "architecture": "wasm"})
    other = descriptor(b"{}", oci.OCI_MANIFEST, platform={"os": "linux", "architecture": "s390x"})
    found = layout.read(as_folder(tmp_path, {"index.json": index(other, wasm), **blobs}))
    config = json.loads(found.documents.config)
    assert (config["os"], config["architecture"]) == ("linux", oci.host_platform().architecture)
    assert json.loads(found.documents.manifest)["config"]["digest"] == found.id
    assert found.digests == (digest(manifest),)


def test_of_several_images_the_one_of_that_name_is_taken(tmp_path: Path) -> None:
    blobs, manifest = image()
    more, other = image(b"other")
    named = [
        descriptor(manifest, oci.OCI_MANIFEST, annotations={oci.REF_NAME: "1"}),
        descriptor(other, oci.OCI_MANIFEST, annotations={oci.REF_NAME: "2"}),
    ]
    folder = as_folder(tmp_path, {"index.json": index(*named), **blobs, **more})
    assert layout.read(folder, parse("any/app:2")).digest == digest(other)
    with pytest.raises(InputError, match="2 images: 1, 2"):
        layout.read(folder, parse("any/app:3"))


def docker_archive(layer: bytes = LAYER, diff_id: str = "", config_name: str = "") -> dict[str, bytes]:
    here = oci.host_platform()
    rootfs = {"type": "layers", "diff_ids": [diff_id or digest(LAYER)]}
    config = json.dumps({"architecture": here.architecture, "os": here.os, "rootfs": rootfs}).encode()
    name = config_name or f"{hashlib.sha256(config).hexdigest()}.json"
    told = [{"Config": name, "RepoTags": ["app:1"], "Layers": ["x/layer.tar"]}]
    return {"manifest.json": json.dumps(told).encode(), name: config, "x/layer.tar": layer}


def test_an_archive_of_docker_save_becomes_an_image(tmp_path: Path) -> None:
    found = layout.read(as_tar(tmp_path / "i.tar", docker_archive()), parse("app:1"))
    assert json.loads(found.documents.manifest)["layers"][0]["digest"] == digest(LAYER)


@pytest.mark.parametrize("wrong", [docker_archive(b"other"), docker_archive(config_name="0" * 64 + ".json")])
def test_a_damaged_archive_of_docker_save_is_refused(tmp_path: Path, wrong: dict[str, bytes]) -> None:
    with pytest.raises(InputError, match="damaged"):
        layout.read(as_tar(tmp_path / "i.tar", wrong))


def changed(name_part: str, change) -> dict[str, bytes]:
    files = one_image()
    for name, content in files.items():
        if name_part in name:
            files[name] = change(content)
    return files


def without_blobs() -> dict[str, bytes]:
    return {"index.json": one_image()["index.json"]}


def of_manifest(**changes: object) -> dict[str, bytes]:
    blobs, manifest = image()
    new = json.dumps(json.loads(manifest) | changes).encode()
    return {"index.json": index(descriptor(new, oci.OCI_MANIFEST)), **blobs, blob(new): new}


def nested(depth: int) -> dict[str, bytes]:
    blobs, manifest = image()
    top, kind = manifest, oci.OCI_MANIFEST
    for _ in range(depth):
        inner = index(descriptor(top, kind))
        blobs[blob(inner)] = inner
        top, kind = inner, oci.OCI_INDEX
    return {"index.json": index(descriptor(top, kind)), **blobs}


def with_index(raw: bytes) -> dict[str, bytes]:
    return {**one_image(), "index.json": raw}


def of(blobs_and_manifest: tuple[dict[str, bytes], bytes]) -> dict[str, bytes]:
    blobs, manifest = blobs_and_manifest
    return {"index.json": index(descriptor(manifest, oci.OCI_MANIFEST)), **blobs}


BOMB = gzip.compress(b"\0" * (1 << 20))
BAD_IMAGES = [
    ("a layer with one bit changed", changed(blob(LAYER)[13:], lambda raw: raw[:-1] + b"X"), "digest"),
    ("a layer cut short", changed(blob(LAYER)[13:], lambda raw: raw[:-1]), "size"),
    ("a layer with more at its end", changed(blob(LAYER)[13:], lambda raw: raw + b"X"), "size"),
    ("blobs that are missing", without_blobs(), "No such file|missing"),
    ("a config for another machine", of(image(architecture="s390x")), "linux/s390x"),
    ("a config for another system", of(image(os="windows")), "windows"),
    ("a diff_id of other content", of(image(diff_id="sha256:" + "0" * 64)), "diff_id"),
    ("a diff_id that is none", of(image(diff_id="../../etc/passwd")), "no digest"),
    ("a gzip that is none", of(image(layer_type=oci.OCI_LAYER + "+gzip")), "no gzip"),
    ("a gzip cut short", of(image(BOMB[:-20], digest(b""), oci.OCI_LAYER + "+gzip")), "cut off"),
    ("fewer diff_ids than layers", of_manifest(layers=[]), "1 diff_ids for 0 layers"),
    ("an artifact", of_manifest(config=descriptor(b"{}", "application/vnd.example+json")), "artifact"),
    ("a manifest without config", of_manifest(config=None), "manifest"),
    (
        "a layer's digest as a path",
        of_manifest(layers=[{"digest": "sha256:../../etc/shadow", "size": 1}]),
        "no digest",
    ),
    ("a layer of negative size", of_manifest(layers=[{"digest": digest(LAYER), "size": -1}]), "size"),
    ("indexes in indexes", nested(5), "nest deeper"),
    ("an index that is no JSON", with_index(b"{"), "index"),
    ("an index that is a list", with_index(b"[]"), "index"),
    ("an index that is empty", with_index(index()), "no image for"),
    ("an index of deep nesting", with_index(b'{"manifests":' + b"[" * 100_000), "index"),
    ("an index that is huge", with_index(b" " * (5 << 20)), "larger than"),
    ("an index of binary", with_index(os.urandom(1000)), "index"),
    ("no index at all", {"oci-layout": b"{}"}, "neither an OCI layout"),
]


@pytest.mark.parametrize(("files", "said"), [case[1:] for case in BAD_IMAGES], ids=[case[0] for case in BAD_IMAGES])
@pytest.mark.parametrize("store", [as_folder, as_tar])
def test_a_damaged_or_hostile_image_is_refused(tmp_path: Path, store, files: dict[str, bytes], said: str) -> None:
    path = store(tmp_path / "image", files)
    with pytest.raises(InputError, match=said) as raised:
        layout.read(path)
    assert str(path) in raised.value.where


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


HOSTILE_MEMBERS = [
    ("a path out of the tar", member("../../etc/cron.d/x"), "leads out"),
    ("an absolute path", member("/etc/passwd"), "leads out"),
    ("a link in place of the index", member("index.json", tarfile.SYMTYPE, "/etc/passwd"), "twice"),
    ("the index twice", member("index.json"), "twice"),
    ("a name a megabyte long", member("a" * (1 << 20)), "longer than"),
]


@pytest.mark.parametrize(("extra", "said"), [case[1:] for case in HOSTILE_MEMBERS], ids=[c[0] for c in HOSTILE_MEMBERS])
def test_a_hostile_tar_is_refused_as_a_whole(tmp_path: Path, extra: tarfile.TarInfo, said: str) -> None:
    with pytest.raises(InputError, match=said):
        layout.read(as_tar(tmp_path / "i.tar", one_image(), (extra,)))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_a_blob_must_be_a_regular_file_of_the_tar(tmp_path: Path, kind: bytes) -> None:
    files = one_image()
    del files[blob(LAYER)]
    with pytest.raises(InputError, match="no regular file"):
        layout.read(as_tar(tmp_path / "i.tar", files, (member(blob(LAYER), kind, "/etc/passwd"),)))


@pytest.mark.parametrize("where", ["blob", "folder", "index.json"])
def test_a_layout_in_a_folder_cannot_point_out_of_it_by_links(tmp_path: Path, where: str) -> None:
    folder = as_folder(tmp_path / "image", one_image())
    outside = tmp_path / "outside"
    place = {"blob": folder / blob(LAYER), "folder": folder / "blobs", "index.json": folder / "index.json"}[where]
    place.rename(outside)
    place.symlink_to(outside)
    with pytest.raises(InputError, match="cannot read"):
        layout.read(folder)


def test_a_pipe_in_place_of_a_blob_does_not_hang(tmp_path: Path) -> None:
    folder = as_folder(tmp_path / "image", one_image())
    (folder / blob(LAYER)).unlink()
    os.mkfifo(folder / blob(LAYER))
    with pytest.raises(InputError, match="no regular file"):
        layout.read(folder)


@pytest.mark.parametrize("cut", [1, 100, 512, 1000, 5000])
def test_a_tar_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = as_tar(tmp_path / "i.tar", one_image())
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole[:-cut])
    with pytest.raises(InputError):
        layout.read(path)


def test_a_tar_packed_as_a_whole_says_how_to_unpack_it(tmp_path: Path) -> None:
    path = as_tar(tmp_path / "i.tar", one_image())
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match="gunzip"):
        layout.read(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 10240, os.urandom(4096)])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "i.tar").write_bytes(content)
    with pytest.raises(InputError):
        layout.read(tmp_path / "i.tar")


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        layout.read(tmp_path / "nothing")


def test_a_file_of_many_gigabytes_of_nothing_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "i.tar"
    header = member("x", tarfile.XHDTYPE, size=8 << 30).tobuf(tarfile.GNU_FORMAT)
    with path.open("wb") as stream:
        stream.write(header)
        stream.truncate(9 << 30)
    begun = time.monotonic()
    with pytest.raises(InputError, match="longer than"):
        layout.read(path)
    assert time.monotonic() - begun < 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_an_image_with_any_byte_changed_is_refused_or_the_same(tmp_path: Path, data: st.DataObject) -> None:
    path = built(tmp_path / "good.tar")
    good = layout.read(path, NAME)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / "bad.tar").write_bytes(raw)
    try:
        found = layout.read(tmp_path / "bad.tar", NAME)
    except InputError:
        return
    assert (found.digest, found.id) == (good.digest, good.id)
