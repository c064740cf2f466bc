"""What the network has to know of the runs: their Services and Pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from casemate.engine.network.services import PodState
from casemate.engine.supervise.run import Run
from casemate.engine.supervise.worker import PodWorker
from casemate.model.kube.container import ContainerPort
from casemate.model.kube.objects import Service
from casemate.model.kube.pod import PodSpec


def services_of(runs: Iterable[Run]) -> tuple[Service, ...]:
    """All Services of these runs."""
    return tuple(service for run in runs for service in run.record.inventory.services)


def pod_states(runs: Iterable[Run]) -> tuple[PodState, ...]:
    """All Pods of these runs that have a network."""
    workers = (worker for run in runs for worker in run.workers.values())
    return tuple(_state(each) for each in workers if not each.status.phase.final)


def _state(worker: PodWorker) -> PodState:
    spec, meta = worker.spec, worker.instance.pod.metadata
    return PodState(
        namespace=worker.instance.namespace,
        name=worker.instance.name,
        ip=worker.status.ip,
        ready=worker.serving,
        labels=meta.labels if meta else {},
        hostname=spec.hostname or "",
        subdomain=spec.subdomain or "",
        ports=tuple(_ports(spec)),
        host_network=bool(spec.hostNetwork),
    )


def _ports(spec: PodSpec) -> Iterator[ContainerPort]:
    for container in (*spec.initContainers, *spec.containers):
        yield from container.ports
