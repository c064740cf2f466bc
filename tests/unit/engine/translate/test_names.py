"""Host names, /etc/hosts and resolv.conf are those that a kubelet makes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from casemate.engine.instance import PodInstance
from casemate.engine.translate.dns import DnsSettings, ResolvConf, parse_resolv_conf, resolv_conf
from casemate.engine.translate.hostname import (
    PodHostname,
    host_network_hosts_file,
    hosts_file,
    kernel_hostname,
    pod_hostname,
)
from casemate.errors import InputError
from casemate.model.kube.pod import HostAlias

MakePod = Callable[..., PodInstance]

C = "containers: [{name: a, image: i}]"
HOST = ResolvConf(("192.0.2.53",), ("corp.example",), ("timeout:1",))
SETTINGS = DnsSettings("10.0.0.10", HOST)
CLUSTER = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")


@pytest.mark.parametrize(
    ("fields", "name", "domain", "kernel"),
    [
        ("", "web", "", "web"),
        ("hostname: front", "front", "", "front"),
        ("hostname: front\nsubdomain: s", "front", "s.shop.svc.cluster.local", "front"),
        (
            "hostname: front\nsubdomain: s\nsetHostnameAsFQDN: true",
            "front",
            "s.shop.svc.cluster.local",
            "front.s.shop.svc.cluster.local",
        ),
        ("setHostnameAsFQDN: true", "web", "", "web"),
        ("hostnameOverride: a.b\nsubdomain: s\nsetHostnameAsFQDN: false", "a.b", "", "a.b"),
        ("hostNetwork: true", "web", "", ""),
        (f"hostname: {'x' * 62}-y", "x" * 62, "", "x" * 62),
    ],
)
def test_a_pod_has_its_name(make_pod: MakePod, fields: str, name: str, domain: str, kernel: str) -> None:
    instance = make_pod(f"{C}\n{fields}")
    assert pod_hostname(instance) == PodHostname(name, domain)
    assert kernel_hostname(instance) == kernel


def test_a_full_name_that_the_kernel_cannot_hold_is_an_error(make_pod: MakePod) -> None:
    instance = make_pod(f"{C}\nhostname: {'x' * 60}\nsubdomain: s\nsetHostnameAsFQDN: true")
    with pytest.raises(InputError, match="the kernel takes 64"):
        kernel_hostname(instance)


def test_the_hosts_file_lists_addresses_and_aliases() -> None:
    text = hosts_file(PodHostname("front", "s.d"), ("10.1.0.2",), (HostAlias(ip="1.2.3.4", hostnames=("a", "b")),))
    assert text.splitlines()[7:] == [
        "10.1.0.2\tfront.s.d\tfront",
        "",
        "# Entries added by HostAliases.",
        "1.2.3.4\ta\tb",
    ]


def test_on_the_hosts_network_the_hosts_own_file_comes_first() -> None:
    text = host_network_hosts_file("127.0.0.1 localhost\n", (HostAlias(ip="1.2.3.4", hostnames=("a",)),))
    assert text.splitlines()[1] == "127.0.0.1 localhost"
    assert text.endswith("1.2.3.4\ta\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", ResolvConf(("10.0.0.10",), CLUSTER, ("ndots:5",))),
        ("dnsPolicy: ClusterFirst", ResolvConf(("10.0.0.10",), CLUSTER, ("ndots:5",))),
        ("dnsPolicy: Default", HOST),
        ("hostNetwork: true", HOST),
        ("hostNetwork: true\ndnsPolicy: ClusterFirstWithHostNet", ResolvConf(("10.0.0.10",), CLUSTER, ("ndots:5",))),
        ("dnsPolicy: None\ndnsConfig: {nameservers: [1.1.1.1]}", ResolvConf(("1.1.1.1",))),
        (
            "dnsConfig: {nameservers: [10.0.0.10, 1.1.1.1], searches: [x.y], "
            "options: [{name: ndots, value: '2'}, {name: edns0}]}",
            ResolvConf(("10.0.0.10", "1.1.1.1"), (*CLUSTER, "x.y"), ("ndots:2", "edns0")),
        ),
    ],
)
def test_a_pod_resolves_by_its_policy(make_pod: MakePod, fields: str, expected: ResolvConf) -> None:
    assert resolv_conf(make_pod(f"{C}\n{fields}"), SETTINGS) == expected


def test_more_than_a_resolver_takes_is_cut(make_pod: MakePod) -> None:
    host = ResolvConf(("1", "2", "3", "4"), ("x" * 256, *(f"{'d' * 60}.{index}" for index in range(40))))
    found = resolv_conf(make_pod(f"{C}\ndnsPolicy: Default"), DnsSettings("10.0.0.10", host))
    assert found.servers == ("1", "2", "3")
    assert len(found.searches) == 31
    assert len(" ".join(found.searches)) <= 2048


def test_a_resolv_conf_is_read_as_resolvers_read_it() -> None:
    lines = ["# x", "nameserver 1.1.1.1", "search a b.", "search c. .", "nameserver 2.2.2.2"]
    lines += ["options ndots:1 rotate", "options ndots:3"]
    expected = ResolvConf(("1.1.1.1", "2.2.2.2"), ("c",), ("ndots:3", "rotate"))
    assert parse_resolv_conf("\n".join(lines)) == expected
