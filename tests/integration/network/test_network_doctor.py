"""Each test has a host of its own: a network namespace whose firewall it may break."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from casemate.engine.network.doctor import Finding, examine
from casemate.engine.network.namespace import inside, named
from casemate.engine.network.plan import choose
from casemate.engine.network.router import Router

pytestmark = pytest.mark.root

ENGINE = f"doc{os.getpid()}"
PLAN = choose(ENGINE, ())

BLOCKED = {
    "ip_forward is off": ("sysctl -qw net.ipv4.ip_forward=0", "the host does not forward packets"),
    "iptables drops": ("iptables -P FORWARD DROP", "the host's firewall drops forwarded packets"),
    "legacy iptables drops": ("iptables-legacy -P FORWARD DROP", "the host's firewall drops forwarded packets"),
    "nftables drops": (
        "nft add table inet wall && nft add chain inet wall fw '{ type filter hook forward priority 0; policy drop; }'",
        "the host's firewall drops forwarded packets",
    ),
    "nftables rejects at the end": (
        "nft add table inet wall && nft add chain inet wall fw '{ type filter hook forward priority 0; }' && "
        "nft add rule inet wall fw counter reject",
        "the host's firewall drops forwarded packets",
    ),
    "another network overlaps": (
        "ip link add other type veth peer name other1 && ip link set other1 up && ip link set other up && "
        f"ip route add {PLAN.pod_network[256]}/24 dev other",
        "another network of this host overlaps",
    ),
    "something else drops": (f"ip rule add to {PLAN.router_network} blackhole priority 1", "do not reach"),
}


@pytest.fixture
def host() -> Iterator[Path]:
    name = f"host-{ENGINE}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    router = Router(PLAN, ENGINE)
    inside(named(name), router.create)
    yield named(name)
    inside(named(name), router.delete)
    subprocess.run(["ip", "netns", "delete", name], check=True)


def shell(host: Path, command: str) -> None:
    inside(host, lambda: subprocess.run(command, shell=True, check=True))


def findings(host: Path) -> tuple[Finding, ...]:
    return inside(host, lambda: examine(PLAN, ENGINE))


def test_an_open_host_has_no_findings(host: Path) -> None:
    assert findings(host) == ()


@pytest.mark.parametrize(("block", "what"), BLOCKED.values(), ids=list(BLOCKED))
def test_what_blocks_forwarding_is_named(host: Path, block: str, what: str) -> None:
    shell(host, block)

    assert [what in each.what for each in findings(host)] == [True]


@pytest.mark.parametrize(
    "block", ["iptables -P FORWARD DROP", "iptables-legacy -P FORWARD DROP", BLOCKED["nftables drops"][0]]
)
def test_the_fix_that_is_named_repairs_it(host: Path, block: str) -> None:
    shell(host, block)
    (found,) = findings(host)
    shell(host, found.fix.partition("such as: ")[2])

    assert findings(host) == ()


def test_a_firewall_that_lets_the_engine_pass_is_no_finding(host: Path) -> None:
    shell(
        host,
        f"iptables -P FORWARD DROP; iptables -A FORWARD -s {PLAN.cluster_network} -j ACCEPT; "
        f"iptables -A FORWARD -d {PLAN.cluster_network} -j ACCEPT",
    )

    assert findings(host) == ()


def test_the_examination_leaves_nothing_behind(host: Path) -> None:
    before = inside(host, lambda: subprocess.run("ip link; ip route", shell=True, capture_output=True).stdout)
    findings(host)

    assert inside(host, lambda: subprocess.run("ip link; ip route", shell=True, capture_output=True).stdout) == before
    assert not named(f"casemate-probe-{ENGINE}").exists()
