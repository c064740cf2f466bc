"""A Pod's sandbox and containers reach CRI complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.translate.container import ContainerContext, container_config
from casemate.engine.translate.dns import DnsSettings
from casemate.engine.translate.namespaces import IdRange
from casemate.engine.translate.sandbox import pod_spec, sandbox_config
from casemate.model.handler import NodeFacts

MakePod = Callable[..., PodInstance]

SPEC = """
terminationGracePeriodSeconds: 7
securityContext: {runAsUser: 5, sysctls: [{name: net.core.somaxconn, value: "1024"}]}
containers:
- name: main
  image: shop/web:1
  command: [serve, $(PORT), $$(PORT)]
  args: [--name, $(NAME)]
  workingDir: /srv
  stdin: true
  tty: true
  ports: [{containerPort: 80, name: http}]
  lifecycle: {preStop: {sleep: {seconds: 3}}, stopSignal: SIGUSR1}
  resources: {limits: {memory: 64Mi, cpu: 250m, hugepages-2Mi: 4Mi}}
"""


def sandbox(instance: PodInstance, ids: IdRange | None = None) -> pb.PodSandboxConfig:
    return sandbox_config(instance, DnsSettings("10.0.0.10"), Path("/logs"), 2, cgroup_parent="/c/uid-1", ids=ids)


def container(instance: PodInstance, node: NodeFacts, **more: Any) -> pb.ContainerConfig:
    context = ContainerContext(image="sha256:1", node=node, seccomp=Path("/s"), env={"PORT": "80"}, **more)
    return container_config(instance, pod_spec(instance).containers[0], context)


def test_a_sandbox_is_found_again_by_its_labels(make_pod: MakePod) -> None:
    labels = "labels: {app: x, io.kubernetes.pod.uid: stolen, casemate.dev/run: stolen}"
    found = sandbox(make_pod(SPEC, labels)).labels
    assert found == {
        "app": "x",
        "casemate.dev/run": "run-1",
        "io.kubernetes.pod.name": "web",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": "uid-1",
    }


def test_a_sandbox_has_identity_cgroup_logs_and_sysctls(make_pod: MakePod) -> None:
    found = sandbox(make_pod(SPEC))
    assert found.metadata == pb.PodSandboxMetadata(name="web", namespace="shop", uid="uid-1", attempt=2)
    assert (found.log_directory, found.linux.cgroup_parent) == ("/logs/shop_web_uid-1", "/c/uid-1")
    assert found.linux.sysctls == {"net.core.somaxconn": "1024"}
    assert found.linux.security_context.run_as_user.value == 5
    assert not found.port_mappings


def test_a_sandbox_says_resources_and_overhead_apart(make_pod: MakePod) -> None:
    found = sandbox(make_pod(SPEC, overhead={"memory": "120Mi", "cpu": "250m"})).linux
    assert (found.resources.memory_limit_in_bytes, found.resources.cpu_quota) == (64 << 20, 25_000)
    assert (found.overhead.memory_limit_in_bytes, found.overhead.cpu_quota, found.overhead.cpu_shares) == (
        120 << 20,
        25_000,
        256,
    )


def test_a_sandbox_is_privileged_when_any_container_is(make_pod: MakePod) -> None:
    assert not sandbox(make_pod(SPEC)).linux.security_context.privileged
    spec = SPEC + "initContainers: [{name: i, image: i, securityContext: {privileged: true}}]"
    found = sandbox(make_pod(spec)).linux.security_context
    assert found.privileged
    assert found.seccomp.profile_type == pb.SecurityProfile.RuntimeDefault


def test_a_container_runs_its_command_with_references_replaced(make_pod: MakePod, node: NodeFacts) -> None:
    found = container(make_pod(SPEC), node, restarts=3)
    assert list(found.command) == ["serve", "80", "$(PORT)"]
    assert list(found.args) == ["--name", "$(NAME)"]
    assert (found.working_dir, found.stdin, found.tty, found.stdin_once) == ("/srv", True, True, False)
    assert (found.log_path, found.metadata.attempt) == ("main/3.log", 3)
    assert found.stop_signal == pb.SIGUSR1


def test_a_container_can_be_stopped_from_its_annotations_alone(make_pod: MakePod, node: NodeFacts) -> None:
    found = container(make_pod(SPEC, "annotations: {x: y}"), node, annotations={"casemate.dev/z": "1"}).annotations
    assert found == {
        "casemate.dev/z": "1",
        "io.kubernetes.container.ports": '[{"containerPort":80,"name":"http"}]',
        "io.kubernetes.container.preStopHandler": '{"sleep":{"seconds":3}}',
        "io.kubernetes.container.restartCount": "0",
        "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
        "io.kubernetes.container.terminationMessagePolicy": "File",
        "io.kubernetes.pod.terminationGracePeriod": "7",
    }


def test_a_container_has_its_limits(make_pod: MakePod, node: NodeFacts) -> None:
    found = container(make_pod(SPEC), node, page_sizes=("2MB", "1GB"), swap=True).linux.resources
    assert (found.memory_limit_in_bytes, found.memory_swap_limit_in_bytes) == (64 << 20, 64 << 20)
    assert (found.cpu_quota, found.cpu_period, found.cpu_shares, found.oom_score_adj) == (25_000, 100_000, 256, -997)
    assert {each.page_size: each.limit for each in found.hugepage_limits} == {"2MB": 4 << 20, "1GB": 0}
    assert not found.unified


def test_on_cgroup_v2_a_container_dies_whole_and_does_not_swap(make_pod: MakePod, node: NodeFacts) -> None:
    unified = msgspec.structs.replace(node, cgroups="v2")
    found = container(make_pod(SPEC), unified, swap=True).linux.resources
    assert found.unified == {"memory.oom.group": "1", "memory.swap.max": "0"}
    assert found.memory_swap_limit_in_bytes == 0


def test_a_container_without_limits_has_the_pods(make_pod: MakePod, node: NodeFacts) -> None:
    instance = make_pod("resources: {limits: {memory: 1Gi}}\ncontainers: [{name: a, image: i}]")
    assert container(instance, node).linux.resources.memory_limit_in_bytes == 1 << 30


def test_in_a_user_namespace_every_mount_is_mapped(make_pod: MakePod, node: NodeFacts) -> None:
    mount, ids = pb.Mount(container_path="/data", host_path="/x"), IdRange(131072)
    found = container(make_pod(SPEC), node, mounts=(mount,), ids=ids)
    assert list(found.mounts[0].uidMappings) == list(found.mounts[0].gidMappings) == [ids.mapping()]
    assert found.linux.security_context.namespace_options.userns_options.mode == pb.POD
    assert not mount.uidMappings
