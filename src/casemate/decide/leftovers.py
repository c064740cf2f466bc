"""What nodes and their configuration still have of Docker as the runtime, and the way off it.

1. Workloads' own left-overs (sockets, directories, nodes that run Docker) are rules of the catalogue. Here is what no
   workload says: kubelets' arguments and configuration, kubeadm's, Docker's own.
2. Kubernetes 1.24 removed dockershim and the flags of its CNI and image handling (CHANGELOG-1.24). A kubelet that
   is given a flag that it does not know ends at once (pflag), so each is an obstacle to the upgrade.
3. Log drivers are Docker's: a CRI runtime writes files of its own format, which the kubelet rotates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Json: TypeAlias = object

MIGRATE: Final = "https://kubernetes.io/docs/tasks/administer-cluster/migrating-from-dockershim/"
_DRAIN: Final = (
    "drain the node, stop kubelet and Docker, install containerd, set the kubelet's containerRuntimeEndpoint to "
    "unix:///run/containerd/containerd.sock, start the kubelet, uncordon"
)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """One thing that needs Docker: where it was found, what it is, and how to get rid of it. `source` documents it."""

    where: str
    what: str
    fix: str
    source: str = MIGRATE


@dataclass(frozen=True, slots=True)
class _Flag:
    """A flag of kubelets that went with dockershim. `values` limits it to values that mean Docker."""

    name: str
    fix: str
    values: str = ""


_REMOVE: Final = "remove the flag; it does nothing without dockershim"
_CNI: Final = "remove the flag; CNI is the container runtime's: plugins.*.cni of containerd's config.toml"
_DOCKER_SOCKETS: Final = r"(?:unix://)?/(?:var/)?run/(?:dockershim|cri-dockerd|docker)\.sock"
_FLAGS: Final = (
    _Flag(
        "container-runtime", "remove the flag (it is gone since 1.27) and set --container-runtime-endpoint", "docker"
    ),
    _Flag("container-runtime-endpoint", f"change the runtime first: {_DRAIN}", _DOCKER_SOCKETS),
    _Flag("image-service-endpoint", "name the socket of the runtime that the node has, or remove it", _DOCKER_SOCKETS),
    _Flag("docker", "remove the flag (k3s: its own containerd is the default)"),
    _Flag("docker-endpoint", _REMOVE),
    _Flag("docker-root", _REMOVE),
    _Flag("docker-only", _REMOVE),
    _Flag("docker-tls", _REMOVE),
    _Flag("docker-tls-ca", _REMOVE),
    _Flag("docker-tls-cert", _REMOVE),
    _Flag("docker-tls-key", _REMOVE),
    _Flag("docker-env-metadata-whitelist", _REMOVE),
    _Flag("experimental-dockershim", _REMOVE),
    _Flag("experimental-dockershim-root-directory", _REMOVE),
    _Flag("image-pull-progress-deadline", "remove the flag; containerd has image_pull_progress_timeout"),
    _Flag("network-plugin", _CNI),
    _Flag("network-plugin-mtu", _CNI),
    _Flag("cni-bin-dir", _CNI),
    _Flag("cni-conf-dir", _CNI),
    _Flag("cni-cache-dir", _CNI),
    _Flag("non-masquerade-cidr", "remove the flag; use ip-masq-agent or the CNI plugin's own masquerade"),
)
_BY_NAME: Final = {flag.name: flag for flag in _FLAGS}
_ARGUMENT: Final = re.compile(r"--([a-z][a-z0-9-]*)(?:=(.*))?", re.DOTALL)
_SOCKET_KEYS: Final = ("criSocket", "containerRuntimeEndpoint", "imageServiceEndpoint")
_CRI_ANNOTATION: Final = "kubeadm.alpha.kubernetes.io/cri-socket"
_FILES: Final = frozenset({"json-file", "local", "none", ""})


def of_arguments(words: Sequence[str], where: str) -> Iterator[LeftOver]:
    """Flags of dockershim among a kubelet's arguments, in either form: `--flag=value` or `--flag value`."""
    for index, word in enumerate(words):
        match = _ARGUMENT.fullmatch(word)
        flag = _BY_NAME.get(match[1]) if match else None
        if match is None or flag is None:
            continue
        following = words[index + 1] if index + 1 < len(words) and not words[index + 1].startswith("-") else ""
        value = following if match[2] is None else match[2]
        if not flag.values or re.fullmatch(flag.values, value):
            shown = f"--{flag.name}={value}" if flag.values else f"--{flag.name}"
            yield LeftOver(where, f"the kubelet's argument {shown} needs dockershim", flag.fix)


def of_environment(text: str, where: str) -> Iterator[LeftOver]:
    """The same in a file that sets variables with arguments, such as kubeadm-flags.env or /etc/default/kubelet."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("#"):
            words = re.split(r"[\s\"']+|(?<=[A-Z])=(?=-)", line)
            yield from of_arguments([word for word in words if word], f"{where}:{number}")


def of_document(value: Json, where: str) -> Iterator[LeftOver]:
    """A configuration file of the kubelet or kubeadm, a Node, or Docker's daemon.json."""
    if not isinstance(value, Mapping):
        return
    for key in _SOCKET_KEYS:
        yield from _socket(value.get(key), f"{where}: {key}")
    registration = value.get("nodeRegistration")
    if isinstance(registration, Mapping):
        yield from _socket(registration.get("criSocket"), f"{where}: nodeRegistration.criSocket")
        yield from of_arguments(_extra(registration.get("kubeletExtraArgs")), f"{where}: kubeletExtraArgs")
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if isinstance(annotations, Mapping):
        yield from _socket(annotations.get(_CRI_ANNOTATION), f"{where}: annotation {_CRI_ANNOTATION}")
    yield from _log_driver(value, where)


def _socket(value: Json, where: str) -> Iterator[LeftOver]:
    if isinstance(value, str) and re.fullmatch(_DOCKER_SOCKETS, value):
        yield LeftOver(
            where, f"{value} is the socket of Docker's CRI adapter", _DRAIN, f"{MIGRATE}change-runtime-containerd/"
        )


def _extra(value: Json) -> list[str]:
    """kubeadm's extra arguments: a mapping until v1beta3, a list of names and values since v1beta4."""
    if isinstance(value, Mapping):
        return [f"--{name}={text}" for name, text in value.items()]
    pairs = value if isinstance(value, list) else []
    return [f"--{each.get('name')}={each.get('value', '')}" for each in pairs if isinstance(each, Mapping)]


def _log_driver(value: Mapping[str, Json], where: str) -> Iterator[LeftOver]:
    driver = value.get("log-driver")
    if not isinstance(driver, str):
        return
    if driver not in _FILES:
        what = f"Docker's log driver {driver} sends logs away from the node: with a CRI runtime nothing does"
        fix = "run a collector (Fluent Bit, Vector) as a DaemonSet on /var/log/pods with the CRI format"
    else:
        what = f"Docker's log driver {driver} and its options do not count for a CRI runtime"
        fix = "set containerLogMaxSize and containerLogMaxFiles in the kubelet's configuration"
    yield LeftOver(f"{where}: log-driver", what, fix, f"{MIGRATE}check-if-dockershim-removal-affects-you/")
