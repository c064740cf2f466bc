"""Facts of a machine, from the kernel's texts."""

from __future__ import annotations

import pytest

from casemate.engine.node import cgroups, gather, has_capability

V1 = "30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
V2 = "31 24 0:27 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate"
UNIFIED = "32 24 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
ROOT = "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


@pytest.mark.parametrize(("mounts", "kind"), [((ROOT, V1), "v1"), ((ROOT, V2), "v2"), ((ROOT, V1, UNIFIED), "hybrid")])
def test_the_kind_of_cgroups_is_what_is_mounted(mounts: tuple[str, ...], kind: str) -> None:
    assert cgroups("\n".join(mounts)) == kind


@pytest.mark.parametrize(
    ("effective", "held"), [("000001ffffffffff", True), ("000001fffeffffff", False), ("0000000000000000", False)]
)
def test_a_capability_is_a_bit_of_the_effective_set(effective: str, held: bool) -> None:
    assert has_capability(f"Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t{effective}\n", 24) is held


def test_this_machine_has_facts() -> None:
    facts = gather()
    assert facts.name
    assert facts.cpus > 0
    assert facts.memory > 1 << 20
