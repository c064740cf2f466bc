"""A Pod's resolv.conf.

1. `ClusterFirst` (the default, unless the Pod is on the host's network) and `ClusterFirstWithHostNet`: the engine's DNS
   server, the search path of the Pod's namespace before the host's, `ndots:5`.
2. `Default`, and `ClusterFirst` on the host's network: the host's.
3. `None`: nothing.
4. `dnsConfig` is added to that: servers and searches without doubles, options by name.
5. At most 3 servers; at most 32 searches of 255 characters each and 2048 together; more are cut.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/network/dns/dns.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.translate.hostname import CLUSTER_DOMAIN
from casemate.model.kube.pod import PodDNSConfig

_MAX_SERVERS, _MAX_SEARCHES, _MAX_SEARCH, _MAX_SEARCH_LINE = 3, 32, 255, 2048


@dataclass(frozen=True)
class ResolvConf:
    """Contents of a resolv.conf: addresses, search domains, options as written (`ndots:5`)."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class DnsSettings:
    """What Pods of this engine resolve with. `server` is the engine's DNS address, `host` the machine's settings."""

    server: str
    host: ResolvConf = ResolvConf()
    domain: str = CLUSTER_DOMAIN


def parse_resolv_conf(text: str) -> ResolvConf:
    """Servers add up, the last `search` wins, the last of each option wins; comments and other words are skipped."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search", *domains]:
                searches = tuple(domain.removesuffix(".") for domain in domains if domain != ".")
            case ["options", *words]:
                options += words
    return ResolvConf(tuple(servers), searches, _by_name(options))


def resolv_conf(instance: PodInstance, settings: DnsSettings) -> ResolvConf:
    """The Pod's resolver settings."""
    spec = instance.pod.spec
    chosen = _by_policy(instance, settings)
    if spec and spec.dnsConfig:
        chosen = _extended(chosen, spec.dnsConfig)
    return replace(chosen, servers=chosen.servers[:_MAX_SERVERS], searches=_fitting(chosen.searches))


def dns_config(instance: PodInstance, settings: DnsSettings) -> pb.DNSConfig:
    """The Pod's resolver settings as CRI takes them."""
    chosen = resolv_conf(instance, settings)
    return pb.DNSConfig(servers=chosen.servers, searches=chosen.searches, options=chosen.options)


def _by_policy(instance: PodInstance, settings: DnsSettings) -> ResolvConf:
    spec = instance.pod.spec
    policy = (spec and spec.dnsPolicy) or "ClusterFirst"
    if policy == "None":
        return ResolvConf()
    if policy == "Default" or (policy == "ClusterFirst" and spec and spec.hostNetwork):
        return settings.host
    own = (f"{instance.namespace}.svc.{settings.domain}", f"svc.{settings.domain}", settings.domain)
    return ResolvConf((settings.server,), _distinct((*own, *settings.host.searches)), ("ndots:5",))


def _extended(base: ResolvConf, more: PodDNSConfig) -> ResolvConf:
    options = (f"{each.name}:{each.value}" if each.value else each.name or "" for each in more.options)
    return ResolvConf(
        _distinct((*base.servers, *more.nameservers)),
        _distinct((*base.searches, *more.searches)),
        _by_name((*base.options, *options)),
    )


def _fitting(searches: tuple[str, ...]) -> tuple[str, ...]:
    fitting = [search for search in searches[:_MAX_SEARCHES] if len(search) <= _MAX_SEARCH]
    while len(" ".join(fitting)) > _MAX_SEARCH_LINE:
        fitting.pop()
    return tuple(fitting)


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _by_name(options: Iterable[str]) -> tuple[str, ...]:
    return tuple({option.partition(":")[0]: option for option in options}.values())
