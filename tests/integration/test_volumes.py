"""Volumes are made on this node, keep their Pod's rights, let nothing escape, and go without a trace."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from casemate.engine import userns
from casemate.engine.instance import PodInstance
from casemate.engine.paths import EnginePaths
from casemate.engine.translate.namespaces import IDS_PER_POD
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.volumes import kernel, layout, ownership, subpath
from casemate.engine.volumes.last_words import last_words
from casemate.engine.volumes.mounts import ContainerStart, container_mounts, env_files
from casemate.engine.volumes.prepare import MountPlan, VolumeSources, prepare, remove_claim, teardown
from casemate.errors import InputError, RefusedError, RuntimeFault
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.kube.workloads import Pod

pytestmark = pytest.mark.root

NODE = NodeFacts(
    name="node-1",
    address="192.0.2.1",
    cgroups="v1",
    lsms=(),
    can_lower_oom_score=False,
    user_namespaces=True,
    seccomp=True,
    cpus=2,
    memory=8 << 30,
)
INVENTORY = """
config_maps:
- {metadata: {name: cm, namespace: shop}, data: {a: "1"}}
- {metadata: {name: big, namespace: shop}, data: {a: "BIG"}}
secrets: [{metadata: {name: s, namespace: shop}, stringData: {k: hidden}}]
claims: [{metadata: {name: data, namespace: shop}}]
"""


class Volumes:
    """One Pod's volumes on this node."""

    def __init__(self, paths: EnginePaths, spec: str, uid: str) -> None:
        content = {"metadata": {"name": "web", "namespace": "shop"}, "spec": yaml.safe_load(spec)}
        self.paths = paths
        self.instance = PodInstance(run="r", uid=uid, pod=msgspec.convert(content, Pod), handler="runc")
        self.container = pod_spec(self.instance).containers[0]

    def prepare(self) -> MountPlan:
        inventory = msgspec.convert(yaml.safe_load(INVENTORY.replace("BIG", "x" * 65_536)), Inventory)
        return prepare(self.instance, VolumeSources(inventory, self.paths, NODE))

    def mounts(self, **env: str) -> dict[str, Path]:
        start = ContainerStart(env=env, addresses=("10.1.0.2",))
        found = container_mounts(self.prepare(), self.instance, self.container, start, self.paths)
        return {mount.container_path: Path(mount.host_path) for mount in found}


@pytest.fixture
def paths() -> Iterator[EnginePaths]:
    paths = EnginePaths("tvolumes")
    yield paths
    for pod in paths.pods.glob("*"):
        teardown(paths, pod.name)
    remove_claim(paths, "shop", "data")
    assert not kernel.mount_points(paths.root)


def make(paths: EnginePaths, volume: str, mount: str = "{name: v, mountPath: /v}", more: str = "") -> Volumes:
    spec = f"containers: [{{name: main, image: i, volumeMounts: [{mount}]}}]\nvolumes: [{{name: v, {volume}}}]\n{more}"
    return Volumes(paths, spec, "uid-1")


def rights(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_gid, stat.S_IMODE(found.st_mode)


GROUP = "securityContext: {fsGroup: 2000}"


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ("emptyDir: {}", (2000, 0o2777)),
        ("emptyDir: {medium: Memory}", (2000, 0o3777)),
        ("configMap: {name: cm}", (2000, 0o2777)),
        ("secret: {secretName: s}", (2000, 0o3777)),
        ("persistentVolumeClaim: {claimName: data}", (2000, 0o2777)),
        ("ephemeral: {volumeClaimTemplate: {spec: {}}}", (2000, 0o2777)),
    ],
)
def test_a_volume_belongs_to_the_fs_group(paths: EnginePaths, volume: str, expected: tuple[int, int]) -> None:
    pod = make(paths, volume, more=GROUP)
    assert rights(pod.mounts()["/v"]) == expected
    assert rights(pod.mounts()["/v"]) == expected, "after a restart"


def test_a_secrets_file_is_readable_to_the_fs_group_and_never_on_disk(paths: EnginePaths) -> None:
    top = make(paths, "secret: {secretName: s, defaultMode: 256}", more=GROUP).mounts()["/v"]
    assert rights((top / "k").resolve()) == (2000, 0o440)
    assert kernel.is_mount_point(top)


def test_a_volume_in_memory_has_its_size(paths: EnginePaths) -> None:
    found = os.statvfs(make(paths, "emptyDir: {medium: Memory, sizeLimit: 8Mi}").mounts()["/v"])
    assert found.f_blocks * found.f_frsize == 8 << 20


def test_preparing_again_keeps_what_a_container_wrote_and_its_rights(paths: EnginePaths) -> None:
    pod = make(paths, "emptyDir: {}", more=GROUP)
    top = pod.mounts()["/v"]
    (top / "own").write_text("x")
    (top / "own").chmod(0o600)
    top.chmod(0o700)
    assert pod.mounts()["/v"] == top
    assert (rights(top)[1], rights(top / "own")[1]) == (0o700, 0o600)


def test_a_claim_outlives_its_pod_and_a_scratch_volume_does_not(paths: EnginePaths) -> None:
    claim = make(paths, "persistentVolumeClaim: {claimName: data}")
    (claim.mounts()["/v"] / "kept").touch()
    teardown(paths, "uid-1")
    assert (claim.mounts()["/v"] / "kept").exists()
    teardown(paths, "uid-1")
    scratch = make(paths, "emptyDir: {}").mounts()["/v"]
    teardown(paths, "uid-1")
    assert not scratch.exists()


def test_a_claim_that_is_not_in_the_input_is_an_error(paths: EnginePaths) -> None:
    with pytest.raises(InputError, match="PersistentVolumeClaim shop/gone"):
        make(paths, "persistentVolumeClaim: {claimName: gone}").prepare()


def test_a_kind_that_needs_a_storage_system_is_refused(paths: EnginePaths) -> None:
    with pytest.raises(RefusedError, match="kind nfs"):
        make(paths, "nfs: {path: /, server: x}").prepare()


def test_fs_group_changes_only_a_mismatching_top_when_asked(paths: EnginePaths) -> None:
    on_mismatch = "securityContext: {fsGroup: 2000, fsGroupChangePolicy: OnRootMismatch}"
    pod = make(paths, "persistentVolumeClaim: {claimName: data}", more=on_mismatch)
    file = pod.mounts()["/v"] / "file"
    file.touch()
    os.chown(file, -1, 7)
    teardown(paths, "uid-1")
    pod.mounts()
    assert rights(file)[0] == 7
    teardown(paths, "uid-1")
    make(paths, "persistentVolumeClaim: {claimName: data}", more=GROUP).mounts()
    assert rights(file)[0] == 2000


def test_fs_group_never_follows_a_symlink_out_of_the_volume(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch(mode=0o600)
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").symlink_to(outside / "file")
    (volume / "dir").symlink_to(outside)
    ownership.give(volume, 2000)
    assert rights(outside / "file") == (0, 0o600)
    assert rights(outside)[0] == 0
    assert (volume / "file").lstat().st_gid == 2000


def test_a_mount_point_inside_a_read_only_volume_is_there(paths: EnginePaths) -> None:
    mounts = "{name: v, mountPath: /v}, {name: w, mountPath: /v/in/side}"
    spec = f"containers: [{{name: main, image: i, volumeMounts: [{mounts}]}}]\n"
    pod = Volumes(paths, spec + "volumes: [{name: v, configMap: {name: cm}}, {name: w, emptyDir: {}}]", "uid-1")
    top = pod.mounts()["/v"]
    assert (top / "in/side").is_dir()
    assert (top / "a").read_text() == "1"


def test_a_part_of_a_volume_is_bound_and_made_with_the_volumes_mode(paths: EnginePaths) -> None:
    pod = make(paths, "emptyDir: {}", "{name: v, mountPath: /v, subPathExpr: 'new/$(POD)'}", GROUP)
    part = pod.mounts(POD="web")["/v"]
    (part / "file").touch()
    whole = layout.volume_folder(layout.pod_folder(paths, "uid-1"), "empty-dir", "v")
    assert (whole / "new/web/file").exists()
    assert rights(whole / "new") == rights(whole / "new/web") == (2000, 0o2777)


def test_a_part_that_is_a_file_is_bound_as_one(paths: EnginePaths) -> None:
    part = make(paths, "configMap: {name: cm}", "{name: v, mountPath: /v, subPath: a}").mounts()["/v"]
    assert part.read_text() == "1"
    assert kernel.is_mount_point(part)


def test_a_restart_binds_what_is_there_now(paths: EnginePaths) -> None:
    pod = make(paths, "emptyDir: {}", "{name: v, mountPath: /v, subPath: p}")
    first = pod.mounts()["/v"]
    whole = layout.volume_folder(layout.pod_folder(paths, "uid-1"), "empty-dir", "v")
    (whole / "p").rename(whole / "old")
    (whole / "p").write_text("file now")
    assert pod.mounts()["/v"] == first
    assert first.read_text() == "file now"
    assert pod.mounts()["/v"].read_text() == "file now"
    assert len([point for point in kernel.mount_points(paths.pods) if point == first]) == 1


def test_an_expression_without_a_value_is_an_error(paths: EnginePaths) -> None:
    with pytest.raises(InputError, match="GONE has no value"):
        make(paths, "emptyDir: {}", "{name: v, mountPath: /v, subPathExpr: $(GONE)}").mounts()


ATTACKS = {
    "absolute symlink": ("/", "link"),
    "absolute symlink in the middle": ("/", "link/etc"),
    "relative symlink out": ("../../outside", "link"),
    "symlink to a parent": ("..", "link/outside"),
    "proc magic link": ("/proc/self/root", "link/etc"),
    "dangling symlink": ("nowhere", "link/x"),
    "symlink to itself": ("link", "link"),
}


@pytest.mark.parametrize(("target", "path"), ATTACKS.values(), ids=list(ATTACKS))
def test_a_symlink_never_leads_a_sub_path_out(tmp_path: Path, target: str, path: str) -> None:
    (tmp_path / "outside").mkdir()
    volume = tmp_path / "deep" / "volume"
    volume.mkdir(parents=True)
    (volume / "link").symlink_to(target)
    with pytest.raises(InputError, match="within its volume"):
        subpath.bind(volume, path, tmp_path / "bound")
    assert not kernel.mount_points(tmp_path)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc"])
def test_a_path_that_climbs_is_refused_without_a_look(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="within its volume"):
        subpath.bind(tmp_path, path, tmp_path / "bound")


def test_a_symlink_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    try:
        subpath.bind(tmp_path, "link/new", tmp_path / "bound" / "0")
        assert (tmp_path / "real/new").is_dir()
    finally:
        kernel.unmount(tmp_path / "bound" / "0")


EXCHANGE = """
import ctypes, sys
libc = ctypes.CDLL(None)
here, first, second, exchange = -100, sys.argv[1].encode(), sys.argv[2].encode(), 2
while True:
    assert libc.renameat2(here, first, here, second, exchange) == 0
"""


def test_a_racing_swap_of_folder_and_symlink_never_gets_out(tmp_path: Path) -> None:
    """CVE-2021-25741: exchange a folder and a symlink out of the volume while parts are bound again and again."""
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    (outside / "part").mkdir(parents=True)
    (outside / "part" / "secret").touch()
    (volume / "folder").mkdir(parents=True)
    (volume / "link").symlink_to(outside)
    attacker = subprocess.Popen([sys.executable, "-c", EXCHANGE, volume / "folder", volume / "link"])
    bound = refused = turn = 0
    try:
        while min(bound, refused) < 500 and turn < 100_000:
            turn += 1
            target = tmp_path / "bound" / str(turn)
            try:
                subpath.bind(volume, f"folder/{'part' if turn % 2 else turn}", target)
            except InputError:
                refused += 1
                continue
            bound += 1
            assert not (target / "secret").exists()
            kernel.unmount(target)
        assert attacker.poll() is None
    finally:
        attacker.kill()
        attacker.wait()
    assert min(bound, refused) == 500
    assert [each.name for each in outside.iterdir()] == ["part"]


def test_a_file_of_variables_is_read_only_within_its_volume(paths: EnginePaths) -> None:
    env = "env: [{name: X, valueFrom: {fileKeyRef: {volumeName: v, path: FILE, key: X}}}]"
    volume = layout.volume_folder(layout.pod_folder(paths, "uid-1"), "empty-dir", "v")

    def texts(file: str) -> dict[tuple[str, str], str]:
        spec = f"containers: [{{name: main, image: i, {env.replace('FILE', file)}}}]\n"
        pod = Volumes(paths, spec + "volumes: [{name: v, emptyDir: {}}]", "uid-1")
        return env_files(pod.prepare(), pod.container)

    assert texts("env") == {}
    (volume / "env").write_text("X='1'\n")
    assert texts("env") == {("v", "env"): "X='1'\n"}
    (volume / "link").symlink_to("/etc/passwd")
    os.mkfifo(volume / "fifo")
    for hostile in ("link", "fifo"):
        with pytest.raises(InputError):
            texts(hostile)


def test_last_words_are_those_of_the_start_and_cut(paths: EnginePaths) -> None:
    pod = make(paths, "emptyDir: {}")
    file = pod.mounts()["/dev/termination-log"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o666
    assert last_words(paths, pod.instance, pod.container, 0, 1) == ""
    file.write_bytes(b"x" * 5000 + b"bye\xff")
    assert last_words(paths, pod.instance, pod.container, 0, 1).endswith("bye\ufffd")
    assert len(last_words(paths, pod.instance, pod.container, 0, 1)) == 4096
    assert last_words(paths, pod.instance, pod.container, 1, 1) == ""


def test_the_log_speaks_for_a_container_that_failed_silently(paths: EnginePaths) -> None:
    mount = "{name: v, mountPath: /v}], terminationMessagePolicy: FallbackToLogsOnError, args: ["
    pod = make(paths, "emptyDir: {}", mount)
    pod.mounts()
    log = paths.logs / pod.instance.log_directory / "main" / "0.log"
    log.write_text("".join(f"2026-01-01T00:00:00Z stdout F line {number}\n" for number in range(100)))
    assert last_words(paths, pod.instance, pod.container, 0, 0) == ""
    lines = last_words(paths, pod.instance, pod.container, 0, 1).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("line 20", "line 99", 80)


def test_a_volume_over_etc_hosts_replaces_ours(paths: EnginePaths) -> None:
    assert "10.1.0.2\tweb" in make(paths, "emptyDir: {}").mounts()["/etc/hosts"].read_text()
    pod = make(paths, "configMap: {name: cm}", "{name: v, mountPath: /etc/hosts, subPath: a}")
    assert pod.mounts()["/etc/hosts"].read_text() == "1"


def test_teardown_unmounts_before_it_removes(paths: EnginePaths, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "precious").touch()
    pod = make(paths, f"hostPath: {{path: {tmp_path}}}", "{name: v, mountPath: /v, subPath: part}")
    part = pod.mounts()["/v"]
    assert (part / "precious").exists()
    teardown(paths, "uid-1")
    teardown(paths, "uid-1")
    assert (tmp_path / "part" / "precious").exists()
    assert not layout.pod_folder(paths, "uid-1").exists()
    assert not list(paths.logs.glob("*uid-1"))


def test_a_full_disk_is_said_and_leaves_nothing(paths: EnginePaths) -> None:
    paths.pods.mkdir(parents=True, exist_ok=True)
    kernel.mount("tmpfs", paths.pods, "tmpfs", options="size=64k")
    try:
        (paths.pods / "filler").write_bytes(b"x" * (40 << 10))
        pod = make(paths, "configMap: {name: big}")
        with pytest.raises(RuntimeFault, match="No space left"):
            pod.prepare()
        teardown(paths, "uid-1")
        assert [each.name for each in paths.pods.iterdir()] == ["filler"]
    finally:
        kernel.unmount(paths.pods)


def test_id_ranges_never_overlap_between_pods_and_engines_and_last(paths: EnginePaths) -> None:
    other = EnginePaths("tvolumes2")
    try:
        first, second = userns.allocate(paths, "uid-1"), userns.allocate(other, "uid-1")
        assert abs(first.first - second.first) >= IDS_PER_POD
        assert first.first % IDS_PER_POD == 0
        assert userns.allocate(paths, "uid-1") == first
        teardown(paths, "uid-1")
        assert userns.allocate(paths, "uid-2") == first
    finally:
        teardown(other, "uid-1")
