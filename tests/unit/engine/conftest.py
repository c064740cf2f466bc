"""Pods from YAML, and a node."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import yaml

from casemate.engine.instance import PodInstance
from casemate.model.handler import NodeFacts
from casemate.model.kube.workloads import Pod

MakePod = Callable[..., PodInstance]


@pytest.fixture
def node() -> NodeFacts:
    """A node of two CPUs and 8 GiB, on which an OOM score can be lowered."""
    return NodeFacts(
        name="node-1",
        address="192.0.2.1",
        cgroups="v1",
        lsms=(),
        can_lower_oom_score=True,
        user_namespaces=True,
        seccomp=True,
        cpus=2,
        memory=8 << 30,
    )


@pytest.fixture
def make_pod() -> MakePod:
    """A Pod `web` in namespace `shop`, from the YAML of its spec and, optionally, of more metadata."""

    def make(
        spec: str = "containers: [{name: main, image: busybox}]",
        metadata: str = "{}",
        overhead: dict[str, str] | None = None,
    ) -> PodInstance:
        meta = {"name": "web", "namespace": "shop", **yaml.safe_load(metadata)}
        pod = msgspec.convert({"metadata": meta, "spec": yaml.safe_load(spec)}, Pod)
        return PodInstance(run="run-1", uid="uid-1", pod=pod, handler="runc", overhead=dict(overhead or {}))

    return make
