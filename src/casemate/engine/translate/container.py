"""From a container of a Pod to CRI's ContainerConfig, as a kubelet makes it.

1. Command and arguments replace the image's ENTRYPOINT and CMD only where they are set; `$(NAME)` is expanded.
2. The name of attempt and log is the restart count: 0, 1, 2 ...
3. Every huge page size that is not asked for is limited to none.
4. A container that is out of memory is killed whole where the node can (cgroup v2), and does not swap.
5. In a user namespace every mount is mapped to its ids.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kuberuntime/kuberuntime_container*.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from pathlib import Path

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.translate.environment import expanded
from casemate.engine.translate.labels import container_annotations, container_labels
from casemate.engine.translate.namespaces import IdRange, namespace_options
from casemate.engine.translate.resources import (
    CPU_PERIOD,
    container_limits,
    cpu_quota,
    cpu_shares,
    huge_pages,
    milli,
    oom_score,
    requests,
)
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.translate.security import ROOT_USER, ImageUser, check_non_root, container_security, effective
from casemate.model.handler import NodeFacts
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec


@dataclass(frozen=True)
class ContainerContext:
    """What a container's config needs besides the Pod.

    `image` is the reference or id that the engine knows, `image_user` what its status says. `env` and `mounts` are made
    by `environment` and `casemate.engine.volumes`. `seccomp` is the folder of Localhost profiles. `page_sizes` are the
    node's huge pages as cgroups name them, `swap` whether its cgroups can limit swap (both: `casemate.engine.cgroup`).
    `annotations` are for the runtime.
    """

    image: str
    node: NodeFacts
    seccomp: Path
    restarts: int = 0
    image_user: ImageUser = ROOT_USER
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[pb.Mount, ...] = ()
    ids: IdRange | None = None
    page_sizes: tuple[str, ...] = ()
    swap: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)


def container_config(instance: PodInstance, container: Container, context: ContainerContext) -> pb.ContainerConfig:
    """The config of one start of a container. Raises `RefusedError` when `runAsNonRoot` forbids it."""
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=container.name, attempt=context.restarts),
        image=pb.ImageSpec(image=context.image, user_specified_image=container.image or ""),
        command=expanded(container.command, context.env),
        args=expanded(container.args, context.env),
        working_dir=container.workingDir or "",
        envs=[pb.KeyValue(key=name, value=value) for name, value in context.env.items()],
        mounts=[_mapped(mount, context.ids) for mount in context.mounts],
        labels=container_labels(instance, container),
        annotations={**container_annotations(instance, container, context.restarts), **context.annotations},
        log_path=log_path(container.name, context.restarts),
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdinOnce),
        tty=bool(container.tty),
        linux=_linux(instance, container, context),
        stop_signal=_stop_signal(container),
    )


def log_path(container: str, restarts: int) -> str:
    """The container's log, relative to the Pod's folder of logs."""
    return f"{container}/{restarts}.log"


def container_resources(spec: PodSpec, container: Container, context: ContainerContext) -> pb.LinuxContainerResources:
    """The limits of the container's cgroup."""
    wanted, allowed = requests(container), container_limits(spec, container)
    limit, memory = milli(allowed.get("cpu", Decimal(0))), ceil(allowed.get("memory", Decimal(0)))
    unified = context.node.cgroups == "v2"
    pages = dict.fromkeys(context.page_sizes, 0) | huge_pages(allowed)
    message = pb.LinuxContainerResources(
        cpu_period=CPU_PERIOD,
        cpu_quota=cpu_quota(limit),
        cpu_shares=cpu_shares(milli(wanted["cpu"]) if "cpu" in wanted else limit),
        memory_limit_in_bytes=memory,
        oom_score_adj=oom_score(spec, container, context.node),
        hugepage_limits=[pb.HugepageLimit(page_size=size, limit=bytes_) for size, bytes_ in pages.items()],
        unified={"memory.oom.group": "1"} if unified else {},
    )
    if context.swap and unified:
        message.unified["memory.swap.max"] = "0"
    elif context.swap:
        message.memory_swap_limit_in_bytes = memory
    return message


def _linux(instance: PodInstance, container: Container, context: ContainerContext) -> pb.LinuxContainerConfig:
    spec = pod_spec(instance)
    wanted = effective(spec, container)
    check_non_root(instance, container, wanted, context.image_user)
    security = container_security(wanted, spec, context.node, context.image_user, context.seccomp)
    security.namespace_options.CopyFrom(namespace_options(spec, context.ids))
    return pb.LinuxContainerConfig(resources=container_resources(spec, container, context), security_context=security)


def _stop_signal(container: Container) -> str:
    chosen = container.lifecycle.stopSignal if container.lifecycle else None
    return chosen or "RUNTIME_DEFAULT"


def _mapped(mount: pb.Mount, ids: IdRange | None) -> pb.Mount:
    if ids is None:
        return mount
    mapped = pb.Mount()
    mapped.CopyFrom(mount)
    mapped.uidMappings.append(ids.mapping())
    mapped.gidMappings.append(ids.mapping())
    return mapped
