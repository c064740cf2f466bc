"""Which Pods a run's workload objects want now: pure functions of the objects and the Pods there are.

Rules, in the order of the code:

1. A bare Pod is made once and never replaced.
2. A ReplicaSet or Deployment keeps `replicas` (1 when unset) Pods that have not failed; a failed one gets a successor.
3. A StatefulSet makes `<name>-0`, `-1` …; with `OrderedReady`, the next when the one before is ready. Each claim
   template gives every Pod its own claim, `<template>-<pod>`.
4. A DaemonSet has one Pod: this machine is one node.
5. A Job: see `jobs`. A CronJob is one Job, made at once (`run --now`).

Names and uids are derived, not drawn, so that a restarted supervisor derives the same ones.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from casemate.engine.instance import PodInstance
from casemate.engine.supervise.run_record import RunRecord
from casemate.model.inventory import Inventory
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.volumes import PersistentVolumeClaimVolumeSource, Volume
from casemate.model.kube.workloads import (
    DaemonSet,
    Deployment,
    Pod,
    PodTemplateSpec,
    ReplicaSet,
    StatefulSet,
)
from casemate.model.status import Phase

_UIDS = uuid.UUID("6f0dfb2e-53a4-4cc4-9a6b-9a9a3f6f2e11")


@dataclass(frozen=True)
class PodView:
    """What a controller needs to know of a Pod. `ended_at` is zero while it is not final."""

    instance: PodInstance
    phase: Phase
    ready: bool
    accepted: float
    restarts: int = 0
    ended_at: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """A controller's answer: Pods to make, Pods to end, whether it is satisfied, and workloads that failed for good."""

    create: tuple[PodInstance, ...] = ()
    end: tuple[str, ...] = ()
    settled: bool = True
    failed: tuple[str, ...] = ()
    look_again: float | None = None


def pod_instance(
    run: RunRecord, template: PodTemplateSpec, name: str, namespace: str, owner: str, turn: int = 0
) -> PodInstance:
    """The Pod that a template gives under a name. `turn` tells apart Pods that bear the same name one after another."""
    uid = str(uuid.uuid5(_UIDS, f"{run.name}/{run.created}/{namespace}/{name}/{turn}"))
    meta = template.metadata or ObjectMeta()
    pod = Pod(
        apiVersion="v1",
        kind="Pod",
        metadata=msgspec.structs.replace(meta, name=name, namespace=namespace, uid=uid, generateName=None),
        spec=template.spec,
    )
    class_name = (template.spec and template.spec.runtimeClassName) or ""
    resolved = run.classes[class_name]
    return PodInstance(
        run=run.name,
        uid=uid,
        pod=pod,
        handler=resolved.handler,
        runtime_class=resolved.name,
        overhead=resolved.overhead,
        owner=owner,
    )


def wanted_by_sets(run: RunRecord, pods: Sequence[PodView]) -> Iterator[Wanted]:
    """What bare Pods and all sets want; Jobs are in `jobs`."""
    of = _by_owner(pods)
    inventory = run.inventory
    for pod in inventory.pods:
        yield _bare(run, pod, of)
    for deployment in inventory.deployments:
        yield _replicas(run, deployment, of)
    for replica_set in inventory.replica_sets:
        yield _replicas(run, replica_set, of)
    for stateful in inventory.stateful_sets:
        yield _stateful(run, stateful, of)
    for daemon in inventory.daemon_sets:
        yield _daemon(run, daemon, of)


def owner_of(kind: str, meta: ObjectMeta | None) -> str:
    """`Kind/namespace/name`, which is how Pods name their owner."""
    return f"{kind}/{namespace_of(meta)}/{name_of(meta)}"


def name_of(meta: ObjectMeta | None) -> str:
    """The object's name; `sources` has seen to it that there is one."""
    return (meta and meta.name) or ""


def namespace_of(meta: ObjectMeta | None) -> str:
    """The object's namespace."""
    return (meta and meta.namespace) or "default"


def suffix(text: str) -> str:
    """Five characters derived from the text, of Kubernetes' alphabet for generated names (no vowels)."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(alphabet[each % len(alphabet)] for each in digest[:5])


def _by_owner(pods: Iterable[PodView]) -> dict[str, list[PodView]]:
    grouped: dict[str, list[PodView]] = {}
    for view in pods:
        grouped.setdefault(view.instance.owner, []).append(view)
    return grouped


def _bare(run: RunRecord, pod: Pod, of: dict[str, list[PodView]]) -> Wanted:
    owner = owner_of("Pod", pod.metadata)
    existing = of.get(owner, [])
    if not existing:
        template = PodTemplateSpec(metadata=pod.metadata, spec=pod.spec)
        made = pod_instance(run, template, name_of(pod.metadata), namespace_of(pod.metadata), owner)
        return Wanted(create=(made,), settled=False)
    failed = any(view.phase is Phase.FAILED for view in existing)
    return Wanted(failed=(owner,) if failed else ())


def _replicas(run: RunRecord, workload: Deployment | ReplicaSet, of: dict[str, list[PodView]]) -> Wanted:
    kind = "Deployment" if isinstance(workload, Deployment) else "ReplicaSet"
    spec = workload.spec
    owner = owner_of(kind, workload.metadata)
    existing = of.get(owner, [])
    alive = [view for view in existing if not view.phase.final]
    count = 1 if spec is None or spec.replicas is None else spec.replicas
    stem = name_of(workload.metadata)
    if kind == "Deployment":
        stem += f"-{suffix(owner + str(msgspec.json.encode(spec)))}"
    template = spec.template if spec and spec.template else PodTemplateSpec()
    made = tuple(
        pod_instance(run, template, f"{stem}-{suffix(f'{owner}/{turn}')}", namespace_of(workload.metadata), owner)
        for turn in range(len(existing), len(existing) + count - len(alive))
    )
    return Wanted(create=made, settled=not made)


def _stateful(run: RunRecord, workload: StatefulSet, of: dict[str, list[PodView]]) -> Wanted:
    spec = workload.spec
    assert spec is not None
    owner = owner_of("StatefulSet", workload.metadata)
    first = (spec.ordinals and spec.ordinals.start) or 0
    names = [
        f"{name_of(workload.metadata)}-{first + index}"
        for index in range(1 if spec.replicas is None else spec.replicas)
    ]
    views = {name: [each for each in of.get(owner, []) if each.instance.name == name] for name in names}
    create: list[PodInstance] = []
    for name in names:
        alive = [each for each in views[name] if not each.phase.final]
        if not alive:
            template = _with_claims(workload, spec.template, name)
            namespace = namespace_of(workload.metadata)
            create.append(pod_instance(run, template, name, namespace, owner, turn=len(views[name])))
        if spec.podManagementPolicy != "Parallel" and not any(each.ready for each in alive):
            return Wanted(create=tuple(create), settled=name == names[-1] and not create)
    return Wanted(create=tuple(create), settled=not create)


def _with_claims(workload: StatefulSet, template: PodTemplateSpec, pod_name: str) -> PodTemplateSpec:
    if workload.spec is None or template.spec is None:
        return template
    claims = tuple(
        Volume(
            name=name_of(claim.metadata),
            persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=f"{name_of(claim.metadata)}-{pod_name}"),
        )
        for claim in workload.spec.volumeClaimTemplates
    )
    ours = {each.name for each in claims}
    rest = tuple(each for each in template.spec.volumes if each.name not in ours)
    spec = msgspec.structs.replace(
        template.spec,
        volumes=claims + rest,
        hostname=pod_name,
        subdomain=workload.spec.serviceName,
    )
    return msgspec.structs.replace(template, spec=spec)


def templated_claims(inventory: Inventory) -> Inventory:
    """The inventory with every claim that a StatefulSet's templates will need, at its full count."""
    made = []
    for workload in inventory.stateful_sets:
        if workload.spec is None:
            continue
        first = (workload.spec.ordinals and workload.spec.ordinals.start) or 0
        for index in range(1 if workload.spec.replicas is None else workload.spec.replicas):
            for claim in workload.spec.volumeClaimTemplates:
                name = f"{name_of(claim.metadata)}-{name_of(workload.metadata)}-{first + index}"
                meta = msgspec.structs.replace(
                    claim.metadata or ObjectMeta(), name=name, namespace=namespace_of(workload.metadata)
                )
                made.append(msgspec.structs.replace(claim, metadata=meta))
    return msgspec.structs.replace(inventory, claims=inventory.claims + tuple(made))


def _daemon(run: RunRecord, workload: DaemonSet, of: dict[str, list[PodView]]) -> Wanted:
    owner = owner_of("DaemonSet", workload.metadata)
    existing = of.get(owner, [])
    if any(not view.phase.final for view in existing):
        return Wanted()
    template = workload.spec.template if workload.spec else PodTemplateSpec()
    name = f"{name_of(workload.metadata)}-{suffix(f'{owner}/{len(existing)}')}"
    made = pod_instance(run, template, name, namespace_of(workload.metadata), owner)
    return Wanted(create=(made,), settled=False)
