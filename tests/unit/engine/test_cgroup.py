"""A Pod's cgroup gets its limits in either version's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.engine import cgroup, systemd_slice
from casemate.engine.translate.namespaces import IDS_PER_POD, IdRange
from casemate.engine.translate.resources import PodCgroup
from casemate.engine.userns import FIRST_ID, RANGES, next_range
from casemate.errors import RuntimeFault

PATH = cgroup.pod_cgroup_path("default", "uid-1")
LIMITS = PodCgroup(cpu_shares=512, cpu_quota=50_000, memory=1 << 30, huge_pages={"2MB": 4 << 20})


def contents(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in sorted(folder.rglob("*")) if each.is_file()}


def test_on_v1_each_controller_has_its_own_tree(tmp_path: Path) -> None:
    for controller in ("cpu", "memory", "hugetlb"):
        (tmp_path / controller).mkdir()
    cgroup.create("hybrid", PATH, LIMITS, tmp_path)
    assert contents(tmp_path) == {
        "cpu/casemate/default/poduid-1/cpu.cfs_period_us": "100000",
        "cpu/casemate/default/poduid-1/cpu.cfs_quota_us": "50000",
        "cpu/casemate/default/poduid-1/cpu.shares": "512",
        "hugetlb/casemate/default/poduid-1/hugetlb.2MB.limit_in_bytes": str(4 << 20),
        "memory/casemate/default/poduid-1/memory.limit_in_bytes": str(1 << 30),
    }


def test_on_v1_without_limits_only_shares_are_set(tmp_path: Path) -> None:
    cgroup.create("v1", PATH, PodCgroup(cpu_shares=2), tmp_path)
    assert contents(tmp_path) == {
        "cpu/casemate/default/poduid-1/cpu.cfs_period_us": "100000",
        "cpu/casemate/default/poduid-1/cpu.cfs_quota_us": "-1",
        "cpu/casemate/default/poduid-1/cpu.shares": "2",
    }


def test_on_v2_each_level_passes_its_controllers_down(tmp_path: Path) -> None:
    levels = (tmp_path, tmp_path / "casemate", tmp_path / "casemate/default", tmp_path / PATH.strip("/"))
    for level in levels:
        level.mkdir(exist_ok=True)
        (level / "cgroup.controllers").write_text("memory rdma")
    (levels[-1] / "hugetlb.2MB.max").touch()
    cgroup.create("v2", PATH, LIMITS, tmp_path)
    assert [(level / "cgroup.subtree_control").read_text() for level in levels] == ["+memory"] * 4
    found = contents(levels[-1])
    assert (found["cpu.max"], found["memory.max"], found["cpu.weight"]) == ("50000 100000", str(1 << 30), "59")
    assert found["hugetlb.2MB.max"] == str(4 << 20)


def test_removing_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "unified" / PATH.strip("/") / "container").mkdir(parents=True)
    (tmp_path / "unified" / PATH.strip("/") / "container" / "cgroup.procs").write_text("1\n")
    cgroup.remove(PATH, tmp_path)
    cgroup.remove(PATH, tmp_path)
    cgroup.remove_engine("default", tmp_path)
    assert contents(tmp_path) == {}
    assert not (tmp_path / "unified/casemate").exists()


def test_huge_page_sizes_are_the_nodes(tmp_path: Path) -> None:
    for name in ("hugepages-2048kB", "hugepages-1048576kB", "hugepages-64kB"):
        (tmp_path / name).mkdir()
    assert cgroup.huge_page_sizes(tmp_path) == ("64KB", "2MB", "1GB")


@pytest.mark.parametrize(
    ("version", "file", "expected"),
    [
        ("v1", "memory/memory.memsw.limit_in_bytes", True),
        ("v1", "memory/memory.limit_in_bytes", False),
        ("v2", "system.slice/memory.swap.max", True),
        ("v2", "system.slice/memory.max", False),
    ],
)
def test_swap_is_limited_where_the_kernel_counts_it(tmp_path: Path, version: str, file: str, expected: bool) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    assert cgroup.limits_swap(version, tmp_path) is expected


def test_systemd_gets_a_slice_within_slices() -> None:
    assert cgroup.pod_cgroup_path("my-engine", "a-b", systemd=True) == (
        "/casemate.slice/casemate-my_engine.slice/casemate-my_engine-poda_b.slice"
    )


@pytest.mark.parametrize(
    ("version", "limits", "expected"),
    [
        ("v2", LIMITS, ("CPUWeight=59", "CPUQuota=50%", f"MemoryMax={1 << 30}")),
        ("v1", LIMITS, ("CPUShares=512", "CPUQuota=50%", f"MemoryLimit={1 << 30}")),
        ("v2", PodCgroup(cpu_shares=2), ("CPUWeight=1", "CPUQuota=", "MemoryMax=infinity")),
        ("v2", PodCgroup(cpu_shares=2, cpu_quota=1_500), ("CPUWeight=1", "CPUQuota=1.5%", "MemoryMax=infinity")),
    ],
)
def test_limits_are_said_in_systemds_words(version: str, limits: PodCgroup, expected: tuple[str, ...]) -> None:
    assert systemd_slice.properties(version, limits) == expected


def test_id_ranges_are_aligned_and_the_lowest_free() -> None:
    assert next_range(()) == IdRange(FIRST_ID)
    assert next_range((FIRST_ID, FIRST_ID + 2 * IDS_PER_POD)) == IdRange(FIRST_ID + IDS_PER_POD)
    assert FIRST_ID % IDS_PER_POD == 0
    assert FIRST_ID + RANGES * IDS_PER_POD <= 2**31


def test_when_all_ranges_are_taken_that_is_said() -> None:
    with pytest.raises(RuntimeFault, match="are taken"):
        next_range(range(FIRST_ID, FIRST_ID + RANGES * IDS_PER_POD, IDS_PER_POD))
