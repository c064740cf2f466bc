"""When a verdict depends on what a field says, on the rest of the Pod, or on the node. Named by `fields.yaml`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from casemate.model.handler import NodeFacts
from casemate.model.kube.container import ContainerRestartRule
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.scheduling import PodOS
from casemate.model.kube.security import AppArmorProfile, SeccompProfile, Sysctl
from casemate.model.kube.volumes import ClusterTrustBundleProjection, HostPathVolumeSource
from casemate.model.support import EngineFeatures

NAMESPACED_SYSCTLS: Final = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "net.")
"""Beginnings of sysctls that belong to a namespace (k8s.io/component-helpers/node/util/sysctl)."""

SPECIAL_FILES: Final = frozenset(("Socket", "CharDevice", "BlockDevice"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A field's value, the Pod around it, and what it would run on."""

    value: object
    spec: PodSpec
    node: NodeFacts
    features: EngineFeatures


Condition: TypeAlias = Callable[[Asked], bool]


def _profile(asked: Asked) -> str:
    return asked.value.type if isinstance(asked.value, SeccompProfile | AppArmorProfile) else ""


def _resources(asked: Asked) -> tuple[str, ...]:
    return tuple(asked.value) if isinstance(asked.value, dict) else ()


def _capabilities(asked: Asked) -> set[str]:
    names = asked.value if isinstance(asked.value, tuple) else ()
    return {str(name).upper().removeprefix("CAP_") for name in names}


def _node_wide_sysctl(asked: Asked) -> bool:
    sysctls = asked.value if isinstance(asked.value, tuple) else ()
    names = (each.name.replace("/", ".") for each in sysctls if isinstance(each, Sysctl))
    return any(not name.startswith(NAMESPACED_SYSCTLS) for name in names)


def _restarts_all(asked: Asked) -> bool:
    rules = asked.value if isinstance(asked.value, tuple) else ()
    return any(each.action == "RestartAllContainers" for each in rules if isinstance(each, ContainerRestartRule))


def _optional(asked: Asked) -> bool:
    return isinstance(asked.value, ClusterTrustBundleProjection) and bool(asked.value.optional)


def _special_host_path(asked: Asked) -> bool:
    source = asked.value
    return isinstance(source, HostPathVolumeSource) and (
        source.type in SPECIAL_FILES or source.path.startswith("/dev/")
    )


CONDITIONS: Final[dict[str, Condition]] = {
    "is-true": lambda asked: asked.value is True,
    "is-false": lambda asked: asked.value is False,
    "windows": lambda asked: isinstance(asked.value, PodOS) and asked.value.name == "windows",
    "no-user-namespaces-on-node": lambda asked: not asked.node.user_namespaces,
    "no-user-namespaces-in-engine": lambda asked: not asked.features.user_namespaces,
    "no-apparmor": lambda asked: "apparmor" not in asked.node.lsms,
    "no-selinux": lambda asked: "selinux" not in asked.node.lsms,
    "no-seccomp": lambda asked: not asked.node.seccomp,
    "profile-unconfined": lambda asked: _profile(asked) == "Unconfined",
    "profile-localhost": lambda asked: _profile(asked) == "Localhost",
    "groups-policy-unknown": lambda asked: asked.value == "Strict" and not asked.features.supplemental_groups_policy,
    "node-wide-sysctl": _node_wide_sysctl,
    "stop-signal-unknown": lambda asked: not asked.features.stop_signal,
    "on-host-network": lambda asked: bool(asked.spec.hostNetwork),
    "sctp": lambda asked: asked.value == "SCTP",
    "extended-resource": lambda asked: any("/" in name for name in _resources(asked)),
    "ephemeral-storage": lambda asked: "ephemeral-storage" in _resources(asked),
    "restarts-all-containers": _restarts_all,
    "propagation-none": lambda asked: asked.value == "None",
    "bidirectional": lambda asked: asked.value == "Bidirectional",
    "recursive-read-only-unknown": lambda asked: asked.value == "Enabled" and not asked.features.recursive_read_only,
    "adds-net-raw": lambda asked: bool(_capabilities(asked) & {"NET_RAW", "ALL"}),
    "adds-only-net-bind-service": lambda asked: _capabilities(asked) <= {"NET_BIND_SERVICE"},
    "proc-default": lambda asked: asked.value == "Default",
    "block-mode": lambda asked: asked.value == "Block",
    "special-host-path": _special_host_path,
    "optional-source": _optional,
}
"""Name → whether it holds."""
