"""CPU, memory and huge pages: from requests and limits to numbers that a cgroup takes.

1. A request that is unset is the limit (as the API server defaults it).
2. A Pod's use is the sum of its containers and sidecars, or the peak while its init containers run: each of them
   together with the sidecars that were started before it (KEP-753). Pod-level resources replace that sum (KEP-2837).
3. Overhead is added to requests, and to limits that are not zero.
4. Quality of service: BestEffort without any request or limit; Guaranteed when every container has CPU and memory
   limits equal to its requests; else Burstable.
5. CPU shares are 1024 for each CPU requested, at least 2. The CPU quota is 100 ms for each CPU of the limit in each
   period of 100 ms, at least 1 ms; without a limit there is none.
6. A Pod's cgroup has a limit only where every container has one (Burstable), or always (Guaranteed).
7. The OOM score is 1000 for BestEffort, -997 for Guaranteed, and for Burstable falls with the share of the node's
   memory that is requested. On a node where a score cannot be lowered, it is never negative.

Sources: k8s.io/kubernetes v1.36: pkg/kubelet/cm/helpers_linux.go, pkg/kubelet/qos/policy.go,
pkg/apis/core/v1/helper/qos; k8s.io/component-helpers/resource.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from casemate.model.handler import NodeFacts
from casemate.model.kube.container import Container, ResourceRequirements
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.struct import Quantity
from casemate.model.quantity import parse

Amounts: TypeAlias = dict[str, Decimal]

CPU_PERIOD = 100_000
"""Microseconds over which a CPU quota is counted."""

_MIN_SHARES, _MAX_SHARES, _MIN_QUOTA = 2, 262_144, 1_000
_HUGE_PAGES = "hugepages-"
_POD_LEVEL = ("cpu", "memory")
_GUARANTEED_SCORE, _BEST_EFFORT_SCORE = -997, 1000


class QualityOfService(Enum):
    """The class that Kubernetes derives from requests and limits."""

    GUARANTEED = "Guaranteed"
    BURSTABLE = "Burstable"
    BEST_EFFORT = "BestEffort"


@dataclass(frozen=True)
class PodCgroup:
    """Limits of a Pod's own cgroup. Memory and huge pages are bytes; None means no limit."""

    cpu_shares: int
    cpu_quota: int | None = None
    memory: int | None = None
    huge_pages: Mapping[str, int] = field(default_factory=dict)


def amounts(quantities: Mapping[str, Quantity]) -> Amounts:
    """Quantities by resource name, as exact numbers."""
    return {name: parse(quantity) for name, quantity in quantities.items()}


def limits(container: Container) -> Amounts:
    """The container's limits."""
    return amounts(container.resources.limits) if container.resources else {}


def requests(container: Container) -> Amounts:
    """The container's requests; a limit stands in for a request that is unset."""
    return limits(container) | (amounts(container.resources.requests) if container.resources else {})


def is_sidecar(spec: PodSpec, container: Container) -> bool:
    """Whether the container is an init container that keeps running."""
    return container.restartPolicy == "Always" and container in spec.initContainers


def pod_requests(spec: PodSpec, overhead: Mapping[str, Quantity]) -> Amounts:
    """What the whole Pod requests, with its overhead."""
    total = _aggregate(spec, requests)
    if _has_pod_level(spec.resources):
        total |= _pod_level_requests(spec, total)
    return _add(total, amounts(overhead))


def pod_limits(spec: PodSpec, overhead: Mapping[str, Quantity]) -> Amounts:
    """What the whole Pod may use, with its overhead. A resource without any limit is left out."""
    total = _aggregate(spec, limits)
    if spec.resources:
        total |= _supported(amounts(spec.resources.limits))
    extra = amounts(overhead)
    return {name: amount + extra.get(name, Decimal(0)) if amount else amount for name, amount in total.items()}


def quality_of_service(spec: PodSpec) -> QualityOfService:
    """The Pod's quality-of-service class."""
    if spec.resources:
        wanted = [(_pod_level_requests(spec, {}), amounts(spec.resources.limits))]
    else:
        wanted = [(requests(each), limits(each)) for each in (*spec.containers, *spec.initContainers)]
    if not any(_computing(request) or _computing(limit) for request, limit in wanted):
        return QualityOfService.BEST_EFFORT
    if all(len(_computing(limit)) == 2 and _computing(request) == _computing(limit) for request, limit in wanted):
        return QualityOfService.GUARANTEED
    return QualityOfService.BURSTABLE


def cpu_shares(milli: int) -> int:
    """Relative weight (cgroup v1) of that many thousandths of a CPU."""
    return min(max(milli * 1024 // 1000, _MIN_SHARES), _MAX_SHARES)


def cpu_weight(shares: int) -> int:
    """The cgroup v2 weight that stands for v1 shares: 2 → 1, 1024 → 100, 262144 → 10000 (opencontainers/cgroups)."""
    bits = math.log2(min(max(shares, _MIN_SHARES), _MAX_SHARES))
    return math.ceil(10 ** ((bits * bits + 125 * bits) / 612 - 7 / 34))


def cpu_quota(milli: int) -> int:
    """Microseconds of CPU time per period; 0 for no limit."""
    return max(milli * CPU_PERIOD // 1000, _MIN_QUOTA) if milli else 0


def milli(amount: Decimal) -> int:
    """Thousandths, rounded up."""
    return math.ceil(amount * 1000)


def pod_cgroup(spec: PodSpec, overhead: Mapping[str, Quantity]) -> PodCgroup:
    """Limits for the Pod's own cgroup."""
    quality = quality_of_service(spec)
    if quality is QualityOfService.BEST_EFFORT:
        return PodCgroup(cpu_shares=_MIN_SHARES)
    wanted, allowed = pod_requests(spec, overhead), pod_limits(spec, overhead)
    always = quality is QualityOfService.GUARANTEED
    quota = cpu_quota(milli(allowed.get("cpu", Decimal(0)))) if always or _everywhere(spec, "cpu") else None
    memory = math.ceil(allowed.get("memory", Decimal(0))) if always or _everywhere(spec, "memory") else None
    return PodCgroup(
        cpu_shares=cpu_shares(milli(wanted.get("cpu", Decimal(0)))),
        cpu_quota=quota or None,
        memory=memory or None,
        huge_pages=huge_pages(wanted),
    )


def container_limits(spec: PodSpec, container: Container) -> Amounts:
    """The limits of the container's cgroup: its own, else those of the Pod as a whole."""
    whole = _supported(amounts(spec.resources.limits)) if spec.resources else {}
    return whole | {name: amount for name, amount in limits(container).items() if amount}


def huge_pages(amounts_: Amounts) -> dict[str, int]:
    """Bytes by page size as a cgroup names it, such as `2MB`."""
    return {
        page_size(name.removeprefix(_HUGE_PAGES)): math.ceil(amount)
        for name, amount in amounts_.items()
        if name.startswith(_HUGE_PAGES)
    }


def page_size(quantity: str) -> str:
    """A page size such as `2Mi` in a cgroup's words: `2MB`."""
    size = int(parse(quantity))
    for power, unit in ((30, "GB"), (20, "MB"), (10, "KB")):
        if size >= 1 << power and size % (1 << power) == 0:
            return f"{size >> power}{unit}"
    return f"{size}B"


def oom_score(spec: PodSpec, container: Container, node: NodeFacts) -> int:
    """The container's oom_score_adj."""
    score = _oom_score(spec, container, node.memory)
    return score if node.can_lower_oom_score else max(score, 0)


def _oom_score(spec: PodSpec, container: Container, memory: int) -> int:
    if spec.priorityClassName == "system-node-critical":
        return _GUARANTEED_SCORE
    match quality_of_service(spec):
        case QualityOfService.GUARANTEED:
            return _GUARANTEED_SCORE
        case QualityOfService.BEST_EFFORT:
            return _BEST_EFFORT_SCORE
        case QualityOfService.BURSTABLE:
            wanted = _memory_share(spec, container)
            return min(max(1000 - 1000 * wanted // memory, 1000 + _GUARANTEED_SCORE), _BEST_EFFORT_SCORE - 1)


def _memory_share(spec: PodSpec, container: Container) -> int:
    """Memory that counts for a container's score; a sidecar must not be killed before the containers it serves."""
    wanted = _memory(container)
    if is_sidecar(spec, container):
        wanted = max(wanted, min(_memory(each) for each in spec.containers))
    if spec.resources and "memory" in spec.resources.requests:
        members = (*spec.containers, *(each for each in spec.initContainers if each.restartPolicy == "Always"))
        spare = math.ceil(parse(spec.resources.requests["memory"])) - sum(_memory(each) for each in members)
        wanted += max(spare, 0) // len(members)
    return wanted


def _memory(container: Container) -> int:
    return math.ceil(requests(container).get("memory", Decimal(0)))


def _aggregate(spec: PodSpec, of: Callable[[Container], Amounts]) -> Amounts:
    total: Amounts = {}
    for container in (*spec.containers, *(each for each in spec.initContainers if each.restartPolicy == "Always")):
        total = _add(total, of(container))
    for stage in _init_stages(spec, of):
        total = {name: max(total.get(name, Decimal(0)), stage.get(name, Decimal(0))) for name in total | stage}
    return total


def _init_stages(spec: PodSpec, of: Callable[[Container], Amounts]) -> Iterator[Amounts]:
    """What is in use while each init container starts."""
    started: Amounts = {}
    for container in spec.initContainers:
        use = _add(started, of(container))
        if container.restartPolicy == "Always":
            started = use
        yield use


def _everywhere(spec: PodSpec, name: str) -> bool:
    if spec.resources and spec.resources.limits.get(name):
        return True
    stages = (*map(limits, spec.containers), *_init_stages(spec, limits))
    return all(stage.get(name) for stage in stages)


def _pod_level_requests(spec: PodSpec, containers: Amounts) -> Amounts:
    """Pod-level requests: as written, else the containers' sum, else the pod-level limit."""
    if not spec.resources:
        return {}
    total = containers or _aggregate(spec, requests)
    return _supported(amounts(spec.resources.limits) | total | amounts(spec.resources.requests))


def _has_pod_level(resources: ResourceRequirements | None) -> bool:
    return resources is not None and bool(_supported(amounts(resources.limits | resources.requests)))


def _supported(wanted: Amounts) -> Amounts:
    return {name: amount for name, amount in wanted.items() if name in _POD_LEVEL or name.startswith(_HUGE_PAGES)}


def _computing(wanted: Amounts) -> Amounts:
    return {name: wanted[name] for name in _POD_LEVEL if wanted.get(name)}


def _add(first: Amounts, second: Amounts) -> Amounts:
    return {name: first.get(name, Decimal(0)) + second.get(name, Decimal(0)) for name in first | second}
