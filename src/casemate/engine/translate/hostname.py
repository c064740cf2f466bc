"""A Pod's host name and its /etc/hosts.

1. The name is `hostnameOverride`, else `hostname`, else the Pod's name, cut to 63 characters.
2. With a `subdomain` the Pod has a domain: `<subdomain>.<namespace>.svc.<cluster domain>`; not with an override.
3. The kernel's host name is the short one, or the full one with `setHostnameAsFQDN` (at most 64 characters, else an
   `InputError`). A Pod on the host's network has the host's.
4. /etc/hosts lists the Pod's addresses under its names, then `hostAliases`. A Pod on the host's network has the host's
   file and the aliases.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kubelet_pods.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from casemate.engine.instance import PodInstance
from casemate.errors import InputError
from casemate.model.kube.pod import HostAlias

CLUSTER_DOMAIN = "cluster.local"

_LABEL_LIMIT, _KERNEL_LIMIT = 63, 64
_HEADER = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
_HOST_HEADER = "# Kubernetes-managed hosts file (host network).\n"


class PodHostname(NamedTuple):
    """The short name, and the domain or an empty string."""

    name: str
    domain: str

    @property
    def full(self) -> str:
        """Name and domain."""
        return f"{self.name}.{self.domain}" if self.domain else self.name


def pod_hostname(instance: PodInstance, cluster_domain: str = CLUSTER_DOMAIN) -> PodHostname:
    """The Pod's names."""
    spec = instance.pod.spec
    if spec and spec.hostnameOverride:
        return PodHostname(_cut(spec.hostnameOverride), "")
    name = (spec and spec.hostname) or instance.name
    subdomain = (spec and spec.subdomain) or ""
    return PodHostname(_cut(name), f"{subdomain}.{instance.namespace}.svc.{cluster_domain}" if subdomain else "")


def kernel_hostname(instance: PodInstance, cluster_domain: str = CLUSTER_DOMAIN) -> str:
    """What `uname -n` says in the Pod; empty on the host's network. Raises `InputError` when it is too long."""
    spec = instance.pod.spec
    if spec and spec.hostNetwork and not spec.hostnameOverride:
        return ""
    names = pod_hostname(instance, cluster_domain)
    if not (spec and spec.setHostnameAsFQDN and names.domain):
        return names.name
    if len(names.full) > _KERNEL_LIMIT:
        raise InputError(
            f"setHostnameAsFQDN: {names.full} has {len(names.full)} characters, the kernel takes {_KERNEL_LIMIT}",
            where=f"Pod {instance.namespace}/{instance.name}",
            fix="shorten hostname or subdomain",
        )
    return names.full


def hosts_file(names: PodHostname, addresses: Sequence[str], aliases: Sequence[HostAlias]) -> str:
    """The /etc/hosts of a Pod with its own network."""
    known = f"{names.full}\t{names.name}" if names.domain else names.name
    return _HEADER + "".join(f"{address}\t{known}\n" for address in addresses) + _aliases(aliases)


def host_network_hosts_file(host: str, aliases: Sequence[HostAlias]) -> str:
    """The /etc/hosts of a Pod on the host's network; `host` is the host's own file."""
    return _HOST_HEADER + host + _aliases(aliases)


def _aliases(aliases: Sequence[HostAlias]) -> str:
    if not aliases:
        return ""
    lines = ("\t".join((alias.ip, *alias.hostnames)) for alias in aliases)
    return "\n# Entries added by HostAliases.\n" + "".join(f"{line}\n" for line in lines)


def _cut(name: str) -> str:
    return name[:_LABEL_LIMIT].rstrip("-.") if len(name) > _LABEL_LIMIT else name
