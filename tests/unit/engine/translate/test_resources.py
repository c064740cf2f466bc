"""Requests and limits become what a kubelet writes into cgroups."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.instance import PodInstance
from casemate.engine.translate.resources import (
    PodCgroup,
    QualityOfService,
    cpu_quota,
    cpu_shares,
    cpu_weight,
    oom_score,
    page_size,
    pod_cgroup,
    pod_limits,
    pod_requests,
    quality_of_service,
)
from casemate.engine.translate.sandbox import pod_spec
from casemate.model.handler import NodeFacts

MakePod = Callable[..., PodInstance]

PLAIN = "containers: [{name: a, image: i}]"
FULL = "containers: [{name: a, image: i, resources: {limits: {cpu: 500m, memory: 1Gi}}}]"
HALF = "containers: [{name: a, image: i, resources: {requests: {memory: 1Gi}}}]"
TWO = """
containers:
- {name: a, image: i, resources: {limits: {cpu: 500m, memory: 1Gi}}}
- {name: b, image: i, resources: {limits: {cpu: 250m, memory: 1Gi}}}
"""
ONE_UNLIMITED = """
containers:
- {name: a, image: i, resources: {limits: {cpu: 500m, memory: 1Gi}}}
- {name: b, image: i}
"""
WITH_INIT = """
initContainers:
- {name: side, image: i, restartPolicy: Always, resources: {limits: {cpu: 100m, memory: 1Gi}}}
- {name: init, image: i, resources: {limits: {cpu: "2", memory: 512Mi}}}
containers:
- {name: a, image: i, resources: {limits: {cpu: 500m, memory: 2Gi}}}
"""
POD_LEVEL = """
resources: {limits: {cpu: "2", memory: 4Gi}, requests: {memory: 2Gi}}
containers:
- {name: a, image: i, resources: {requests: {cpu: 500m}}}
- {name: b, image: i}
"""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (PLAIN, QualityOfService.BEST_EFFORT),
        (FULL, QualityOfService.GUARANTEED),
        (HALF, QualityOfService.BURSTABLE),
        (TWO, QualityOfService.GUARANTEED),
        (ONE_UNLIMITED, QualityOfService.BURSTABLE),
        ("containers: [{name: a, image: i, resources: {limits: {memory: 1Gi}}}]", QualityOfService.BURSTABLE),
        ("containers: [{name: a, image: i, resources: {requests: {cpu: 0}}}]", QualityOfService.BEST_EFFORT),
        (POD_LEVEL, QualityOfService.BURSTABLE),
    ],
)
def test_a_pod_has_the_quality_of_service_of_its_containers(
    make_pod: MakePod, spec: str, expected: QualityOfService
) -> None:
    assert quality_of_service(pod_spec(make_pod(spec))) is expected


@pytest.mark.parametrize(
    ("spec", "overhead", "expected"),
    [
        (PLAIN, {"cpu": "250m", "memory": "120Mi"}, PodCgroup(cpu_shares=2)),
        (FULL, {}, PodCgroup(cpu_shares=512, cpu_quota=50_000, memory=1 << 30)),
        (FULL, {"cpu": "250m", "memory": "1Gi"}, PodCgroup(cpu_shares=768, cpu_quota=75_000, memory=2 << 30)),
        (HALF, {"memory": "1Gi"}, PodCgroup(cpu_shares=2)),
        (TWO, {}, PodCgroup(cpu_shares=768, cpu_quota=75_000, memory=2 << 30)),
        (ONE_UNLIMITED, {"cpu": "1"}, PodCgroup(cpu_shares=1536)),
        (WITH_INIT, {}, PodCgroup(cpu_shares=2150, cpu_quota=210_000, memory=3 << 30)),
        (POD_LEVEL, {}, PodCgroup(cpu_shares=512, cpu_quota=200_000, memory=4 << 30)),
    ],
)
def test_a_pods_cgroup_has_the_limits_of_all_and_the_overhead(
    make_pod: MakePod, spec: str, overhead: dict[str, str], expected: PodCgroup
) -> None:
    assert pod_cgroup(pod_spec(make_pod(spec)), overhead) == expected


def test_an_init_container_counts_together_with_the_sidecars_before_it(make_pod: MakePod) -> None:
    spec = pod_spec(make_pod(WITH_INIT))
    assert pod_requests(spec, {})["cpu"] == Decimal("2.1")
    assert pod_limits(spec, {})["memory"] == 3 << 30


def test_overhead_never_makes_a_limit_where_there_is_none(make_pod: MakePod) -> None:
    assert pod_limits(pod_spec(make_pod(HALF)), {"memory": "1Gi"}) == {}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (PLAIN, 1000),
        (FULL, -997),
        (HALF, 875),
        ("containers: [{name: a, image: i, resources: {requests: {cpu: 1}}}]", 999),
    ],
)
def test_the_oom_score_follows_quality_of_service(make_pod: MakePod, node: NodeFacts, spec: str, expected: int) -> None:
    pod = pod_spec(make_pod(spec))
    assert oom_score(pod, pod.containers[0], node) == expected


def test_a_score_is_not_lowered_where_the_node_cannot(make_pod: MakePod, node: NodeFacts) -> None:
    pod = pod_spec(make_pod(FULL))
    limited = msgspec.structs.replace(node, can_lower_oom_score=False)
    assert oom_score(pod, pod.containers[0], limited) == 0


def test_a_sidecar_outlives_the_container_that_it_serves(make_pod: MakePod, node: NodeFacts) -> None:
    pod = pod_spec(make_pod(HALF + "\ninitContainers: [{name: side, image: i, restartPolicy: Always}]"))
    assert oom_score(pod, pod.initContainers[0], node) == oom_score(pod, pod.containers[0], node)


@pytest.mark.parametrize(("milli", "shares"), [(0, 2), (1, 2), (100, 102), (1000, 1024), (1_000_000, 262_144)])
def test_cpu_requests_become_shares(milli: int, shares: int) -> None:
    assert cpu_shares(milli) == shares


@pytest.mark.parametrize(("milli", "quota"), [(0, 0), (1, 1000), (10, 1000), (500, 50_000), (2500, 250_000)])
def test_cpu_limits_become_quotas(milli: int, quota: int) -> None:
    assert cpu_quota(milli) == quota


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 100), (262_144, 10_000)])
def test_shares_become_the_weights_that_runc_writes(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight


@given(st.integers(2, 262_144))
def test_every_weight_is_one_that_the_kernel_takes(shares: int) -> None:
    assert 1 <= cpu_weight(shares) <= 10_000


@pytest.mark.parametrize(("quantity", "size"), [("2Mi", "2MB"), ("1Gi", "1GB"), ("64Ki", "64KB"), ("2048Ki", "2MB")])
def test_page_sizes_are_named_as_the_kernel_does(quantity: str, size: str) -> None:
    assert page_size(quantity) == size
