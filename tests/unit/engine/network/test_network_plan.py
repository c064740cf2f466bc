from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.network.cni import render
from casemate.engine.network.plan import NetworkPlan, choose
from casemate.engine.network.upstream import nameservers
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.errors import MissingError

NETWORKS = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False), st.integers(0, 2**32 - 1), st.integers(9, 32)
)


@given(st.lists(NETWORKS, max_size=30), st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True))
def test_a_plan_overlaps_nothing_that_is_taken(taken: list[IPv4Network], name: str) -> None:
    plan = choose(name, taken)

    assert not any(plan.cluster_network.overlaps(each) for each in taken)
    assert plan.cluster_network.is_private


def test_the_parts_of_a_plan_do_not_overlap_each_other() -> None:
    plan = choose("default", ())
    parts = (plan.pod_network, plan.service_network, plan.router_network)

    assert [one.overlaps(other) for one in parts for other in parts] == [
        one is other for one in parts for other in parts
    ]
    assert all(each.subnet_of(plan.cluster_network) for each in parts)
    assert plan.cluster_network.prefixlen == 16
    assert plan.dns_address in plan.router_network


def test_the_same_engine_gets_the_same_plan_and_another_engine_another() -> None:
    assert choose("default", ()) == choose("default", ())
    assert choose("default", ()) != choose("other", ())


def test_where_10_is_taken_172_16_is_used() -> None:
    plan = choose("default", [IPv4Network("10.0.0.0/8")])

    assert plan.cluster_network.subnet_of(IPv4Network("172.16.0.0/12"))


def test_no_free_network_is_said() -> None:
    with pytest.raises(MissingError, match="no private /16 is free"):
        choose("default", [IPv4Network("0.0.0.0/0")])


def test_settings_give_back_the_plan_that_they_were_made_of() -> None:
    plan = choose("default", ())
    settings = EngineSettings(
        name="default",
        cri_socket="/x",
        pod_network=str(plan.pod_network),
        service_network=str(plan.service_network),
        router_network=str(plan.router_network),
        dns_address=str(plan.dns_address),
    )

    assert NetworkPlan.of(settings) == plan


def test_cni_hands_out_the_pod_network_alone_and_leaves_masquerade_to_us() -> None:
    plan = choose("default", ())
    (plugin,) = json.loads(render(plan, EnginePaths("default"), 1400))["plugins"]
    ((addresses,),) = plugin["ipam"]["ranges"]

    assert addresses["subnet"] == str(plan.cluster_network)
    assert addresses["rangeStart"] == str(plan.pod_network[2])
    assert addresses["rangeEnd"] == str(plan.pod_network[-2])
    assert (plugin["type"], plugin.get("ipMasq", False), plugin["mtu"]) == ("ptp", False, 1400)


RESOLV_CONF = {
    "nameserver 10.0.0.1\n": ["10.0.0.1"],
    "# nameserver 10.0.0.1\nsearch x\n": [],
    "nameserver ::1\nnameserver 127.0.0.53 # stub\n": ["127.0.0.53"],
    "nameserver 1.1.1.1\n" * 5: ["1.1.1.1"] * 3,
    "nameserver\nnameserver x\n\xff": [],
}


@pytest.mark.parametrize(("text", "servers"), RESOLV_CONF.items())
def test_name_servers_are_read_as_the_c_library_reads_them(tmp_path: Path, text: str, servers: list[str]) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)

    assert [str(each) for each in nameservers(file)] == servers


def test_a_missing_resolv_conf_names_nobody(tmp_path: Path) -> None:
    assert nameservers(tmp_path / "none") == ()
