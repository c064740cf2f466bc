"""From a Pod to CRI's PodSandboxConfig, as a kubelet makes it.

1. The sandbox's own process runs under RuntimeDefault seccomp, whatever the containers ask for.
2. `resources` is the Pod's use without overhead, `overhead` that of its RuntimeClass: VMs are sized from their sum.
3. No port mappings: host ports are the supervisor's (`casemate.engine.network.hostports`), not CNI's.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kuberuntime/kuberuntime_sandbox*.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import ceil
from pathlib import Path

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.translate.dns import DnsSettings, dns_config
from casemate.engine.translate.hostname import kernel_hostname
from casemate.engine.translate.labels import sandbox_annotations, sandbox_labels
from casemate.engine.translate.namespaces import IdRange, namespace_options
from casemate.engine.translate.resources import (
    CPU_PERIOD,
    Amounts,
    amounts,
    cpu_quota,
    cpu_shares,
    milli,
    pod_limits,
    pod_requests,
)
from casemate.engine.translate.security import selinux_options, supplemental_groups, supplemental_groups_policy
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import PodSecurityContext
from casemate.model.kube.struct import Quantity


def sandbox_config(
    instance: PodInstance,
    dns: DnsSettings,
    log_root: Path,
    attempt: int,
    *,
    cgroup_parent: str,
    ids: IdRange | None = None,
) -> pb.PodSandboxConfig:
    """The sandbox of a Pod.

    `cgroup_parent` is the Pod's cgroup (`casemate.engine.cgroup`), `ids` its user namespace
    (`casemate.engine.userns`). `attempt` is raised for each new sandbox of the same Pod.
    """
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(
            name=instance.name, namespace=instance.namespace, uid=instance.uid, attempt=attempt
        ),
        hostname=kernel_hostname(instance, dns.domain),
        log_directory=str(log_root / instance.log_directory),
        dns_config=dns_config(instance, dns),
        labels=sandbox_labels(instance),
        annotations=sandbox_annotations(instance),
        linux=_linux(pod_spec(instance), instance.overhead, cgroup_parent, ids),
    )


def pod_spec(instance: PodInstance) -> PodSpec:
    """The Pod's specification; the input is checked to have one."""
    assert instance.pod.spec is not None
    return instance.pod.spec


def _linux(
    spec: PodSpec, overhead: Mapping[str, Quantity], cgroup_parent: str, ids: IdRange | None
) -> pb.LinuxPodSandboxConfig:
    context = spec.securityContext or PodSecurityContext()
    extra = amounts(overhead)
    return pb.LinuxPodSandboxConfig(
        cgroup_parent=cgroup_parent,
        security_context=_security(spec, context, ids),
        sysctls={sysctl.name: sysctl.value for sysctl in context.sysctls},
        resources=_resources(pod_requests(spec, {}), pod_limits(spec, {})),
        overhead=_resources(extra, extra) if overhead else pb.LinuxContainerResources(),
    )


def _security(spec: PodSpec, context: PodSecurityContext, ids: IdRange | None) -> pb.LinuxSandboxSecurityContext:
    message = pb.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(spec, ids),
        selinux_options=selinux_options(context.seLinuxOptions),
        supplemental_groups=supplemental_groups(spec),
        supplemental_groups_policy=supplemental_groups_policy(spec),
        privileged=any(_privileged(spec)),
        seccomp=pb.SecurityProfile(profile_type=pb.SecurityProfile.RuntimeDefault),
    )
    if context.runAsUser is not None:
        message.run_as_user.value = context.runAsUser
    if context.runAsGroup is not None:
        message.run_as_group.value = context.runAsGroup
    return message


def _privileged(spec: PodSpec) -> list[bool]:
    members = (*spec.containers, *spec.initContainers)
    return [bool(each.securityContext and each.securityContext.privileged) for each in members]


def _resources(wanted: Amounts, allowed: Amounts) -> pb.LinuxContainerResources:
    limit = milli(allowed.get("cpu", Decimal(0)))
    return pb.LinuxContainerResources(
        cpu_period=CPU_PERIOD,
        cpu_quota=cpu_quota(limit),
        cpu_shares=cpu_shares(milli(wanted["cpu"]) if "cpu" in wanted else limit),
        memory_limit_in_bytes=ceil(allowed.get("memory", Decimal(0))),
    )
