"""The Pods that are started: as manifests, and as CRI configurations."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec

from casemate.engine.cgroup import pod_cgroup_path
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.translate.container import ContainerContext, container_config
from casemate.engine.translate.dns import DnsSettings, parse_resolv_conf
from casemate.engine.translate.sandbox import sandbox_config
from casemate.model.handler import NodeFacts
from casemate.model.kube.container import Container
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.workloads import Pod

IMAGE = "casemate.local/busybox:1"
CLASSES = {"runc": None, "crun": "crun", "runsc": "gvisor"}
"""Handler → the built-in class that resolves to it."""


def pods(count: int, handler: str, *, with_class: bool = True) -> list[Pod]:
    """That many sleeping Pods behind the handler."""
    spec = PodSpec(
        runtimeClassName=CLASSES[handler] if with_class else None,
        terminationGracePeriodSeconds=0,
        containers=(Container(name="main", image=IMAGE, command=("sleep", "86400")),),
    )
    names = (f"bench-{number:03d}" for number in range(count))
    return [Pod(apiVersion="v1", kind="Pod", metadata=ObjectMeta(name=name), spec=spec) for name in names]


def write_manifest(path: Path, count: int, handler: str, *, with_class: bool = True) -> Path:
    """The Pods as one file of YAML documents."""
    documents = (msgspec.yaml.encode(pod) for pod in pods(count, handler, with_class=with_class))
    path.write_bytes(b"---\n".join(documents))
    return path


def configurations(
    count: int, handler: str, paths: EnginePaths, settings: EngineSettings, node: NodeFacts
) -> list[tuple[pb.PodSandboxConfig, pb.ContainerConfig]]:
    """What ours would send for the same Pods, of a run that the supervisor does not know."""
    dns = DnsSettings(settings.dns_address, parse_resolv_conf(Path("/etc/resolv.conf").read_text()))
    context = ContainerContext(image=IMAGE, node=node, seccomp=paths.root / "seccomp")
    made = []
    for pod in pods(count, handler):
        instance = PodInstance(run="raw", uid=str(uuid.uuid4()), pod=pod, handler=handler)
        parent = pod_cgroup_path("bench", instance.uid)
        assert pod.spec is not None
        sandbox = sandbox_config(instance, dns, paths.logs, 0, cgroup_parent=parent)
        made.append((sandbox, container_config(instance, pod.spec.containers[0], context)))
    return made
