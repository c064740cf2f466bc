"""Files of volumes change all at once; what memory holds has its size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml

from casemate.engine.instance import PodInstance
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.volumes import hostpath
from casemate.engine.volumes.atomic import write
from casemate.engine.volumes.emptydir import huge_page_size, memory_size, over_limit
from casemate.engine.volumes.payload import FileContent
from casemate.errors import InputError
from casemate.model.handler import NodeFacts
from casemate.model.kube.volumes import EmptyDirVolumeSource, HostPathVolumeSource

MakePod = Callable[..., PodInstance]

TWO = {"a": FileContent(b"1", 0o400), "x/y": FileContent(b"2")}


def ignore(_: Path) -> None:
    pass


def test_files_lie_behind_one_symlink(tmp_path: Path) -> None:
    write(tmp_path, TWO, ignore)
    assert (tmp_path / "a").readlink() == Path("..data/a")
    assert (tmp_path / "x").readlink() == Path("..data/x")
    assert ((tmp_path / "a").read_text(), (tmp_path / "x/y").read_text()) == ("1", "2")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o400


def test_the_same_files_are_not_written_again(tmp_path: Path) -> None:
    write(tmp_path, TWO, ignore)
    before = (tmp_path / "..data").readlink()
    write(tmp_path, TWO, ignore)
    assert (tmp_path / "..data").readlink() == before


def test_a_change_replaces_all_and_removes_what_is_gone(tmp_path: Path) -> None:
    write(tmp_path, TWO, ignore)
    write(tmp_path, {"b": FileContent(b"3")}, ignore)
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.startswith("..2")) == ["..data", "b"]
    assert len(list(tmp_path.glob("..2*"))) == 1


def test_owners_are_set_before_the_files_are_seen(tmp_path: Path) -> None:
    seen: list[bool] = []
    write(tmp_path, TWO, lambda top: seen.append((top / "..data").exists()))
    assert seen == [False]


def test_a_volume_without_files_is_empty(tmp_path: Path) -> None:
    write(tmp_path, {}, ignore)
    assert list((tmp_path / "..data").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "pod_limit", "expected"),
    [
        ("{medium: Memory}", None, 8 << 30),
        ("{medium: Memory, sizeLimit: 64Mi}", None, 64 << 20),
        ("{medium: Memory, sizeLimit: 1Ti}", None, 8 << 30),
        ("{medium: Memory, sizeLimit: 64Mi}", 32 << 20, 32 << 20),
        ("{medium: Memory, sizeLimit: 0}", 32 << 20, 32 << 20),
    ],
)
def test_memory_is_limited_by_the_least(node: NodeFacts, source: str, pod_limit: int | None, expected: int) -> None:
    volume = msgspec.convert(yaml.safe_load(source), EmptyDirVolumeSource)
    assert memory_size(volume, pod_limit, node) == expected


HUGE = "containers: [{name: a, image: i, resources: {limits: {hugepages-2Mi: 4Mi}}}]"
BOTH = "containers: [{name: a, image: i, resources: {limits: {hugepages-2Mi: 4Mi, hugepages-1Gi: 1Gi}}}]"


@pytest.mark.parametrize(
    ("medium", "spec", "expected"),
    [("HugePages", HUGE, 2 << 20), ("HugePages-2Mi", BOTH, 2 << 20), ("HugePages-1Gi", BOTH, 1 << 30)],
)
def test_huge_pages_have_the_size_asked_for(make_pod: MakePod, medium: str, spec: str, expected: int) -> None:
    assert huge_page_size(medium, pod_spec(make_pod(spec))) == expected


@pytest.mark.parametrize(("medium", "spec"), [("HugePages", BOTH), ("HugePages-1Gi", HUGE)])
def test_huge_pages_that_are_not_requested_are_an_error(make_pod: MakePod, medium: str, spec: str) -> None:
    with pytest.raises(InputError, match="page size that the Pod requests"):
        huge_page_size(medium, pod_spec(make_pod(spec)))


def test_a_volume_that_outgrew_its_limit_is_named(make_pod: MakePod, tmp_path: Path) -> None:
    volumes = "[{name: big, emptyDir: {sizeLimit: 1Mi}}, {name: small, emptyDir: {sizeLimit: 1Mi}}]"
    spec = pod_spec(make_pod(f"containers: [{{name: a, image: i}}]\nvolumes: {volumes}"))
    for name, size in (("big", 2 << 20), ("small", 1)):
        folder = tmp_path / "volumes/kubernetes.io~empty-dir" / name / "deep"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * size)
    assert over_limit(spec, tmp_path) == ("big",)


@pytest.mark.parametrize(
    ("kind", "name", "made"),
    [
        ("", "gone", None),
        ("Directory", "dir", None),
        ("File", "file", None),
        ("File", "link", None),
        ("DirectoryOrCreate", "new/dir", "dir"),
        ("FileOrCreate", "new-file", "file"),
        ("FileOrCreate", "file", None),
    ],
)
def test_a_host_path_of_its_type_is_given(tmp_path: Path, kind: str, name: str, made: str | None) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    path = tmp_path / name
    assert hostpath.prepare(HostPathVolumeSource(path=str(path), type=kind)) == path
    assert path.exists() == (kind != "")
    if made:
        assert path.is_dir() == (made == "dir")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("Directory", "gone", "does not exist"),
        ("Directory", "file", "is no directory"),
        ("DirectoryOrCreate", "file", "is no directory"),
        ("File", "dir", "is no file"),
        ("FileOrCreate", "dir", "is no file"),
        ("Socket", "file", "is no socket"),
        ("CharDevice", "file", "is no character device"),
        ("BlockDevice", "dir", "is no block device"),
    ],
)
def test_a_host_path_of_another_type_is_an_error(tmp_path: Path, kind: str, name: str, message: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=message):
        hostpath.prepare(HostPathVolumeSource(path=str(tmp_path / name), type=kind))
