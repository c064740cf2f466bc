"""From decoded objects to a run that the supervisor can keep.

Rules, in the order of the code; nothing has been started or changed when one is broken:

1. A CronJob runs once, and only with `--now`: there is no clock that waits for its schedule.
2. Names that the network or the engine would see twice are refused when another run has them.
3. No two Pods want the same port of the host.
4. Every class resolves to a handler that works (`classes`).
5. Every image is on the engine before the first Pod starts, and is pinned to the id that it has then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casemate.catalogue.runtimes import Catalogue
from casemate.engine.classes import resolve_classes
from casemate.engine.network import hostports
from casemate.engine.network.services import PodState
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.supervise.controllers import name_of, namespace_of, templated_claims
from casemate.engine.supervise.run_record import ResolvedClass, RunFolder, RunRecord, run_names
from casemate.errors import InputError, RefusedError
from casemate.model.handler import Handler
from casemate.model.inventory import Inventory, PodTemplate
from casemate.model.kube.workloads import Deployment, Job, JobSpec, ReplicaSet, StatefulSet

_RUN_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Plan:
    """A run that has passed rules 1 to 4."""

    name: str
    inventory: Inventory
    classes: Mapping[str, ResolvedClass]


def plan_run(
    name: str,
    inventory: Inventory,
    paths: EnginePaths,
    settings: EngineSettings,
    handlers: Sequence[Handler],
    catalogue: Catalogue,
    *,
    now: bool,
) -> Plan:
    """Check rules 1 to 4. Raises `InputError`, `RefusedError` or `MissingError`."""
    if not _RUN_NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for a run", where="--name", fix="use 1 to 40 lower-case letters, digits and dashes"
        )
    _check_cron_jobs(inventory, now=now)
    _check_other_runs(name, inventory, paths.runs)
    hostports.check([state for template in inventory.pod_templates() for state in _pods_of(template)])
    classes = resolve_classes(inventory, handlers, catalogue, settings.default_handler)
    return Plan(name, templated_claims(inventory), classes)


def accept(plan: Plan, images: Mapping[str, str], paths: EnginePaths) -> None:
    """Write the run's record, for the supervisor to keep. `images` maps the manifests' image names to ids (rule 5)."""
    record = RunRecord(
        name=plan.name,
        created=time.time(),
        inventory=plan.inventory,
        classes=dict(plan.classes),
        images=dict(images),
    )
    RunFolder(paths.runs, plan.name).write(record)


def run_name(inputs: Sequence[str]) -> str:
    """A run's name when the user gives none: the first file's or folder's, `stdin` for standard input."""
    first = "stdin" if inputs[0] == "-" else Path(inputs[0]).resolve().stem
    name = re.sub(r"[^a-z0-9]+", "-", first.lower()).strip("-")[:40].strip("-")
    return name or "run"


def _check_cron_jobs(inventory: Inventory, *, now: bool) -> None:
    if inventory.cron_jobs and not now:
        names = ", ".join(name_of(each.metadata) for each in inventory.cron_jobs)
        raise RefusedError(
            f"CronJob {names} would wait for its schedule, and the engine keeps no schedules",
            fix="--now runs its Job once, at once",
        )


def _check_other_runs(name: str, inventory: Inventory, runs: Path) -> None:
    names = run_names(runs)
    if name in names:
        raise InputError(
            f"a run called {name!r} exists", fix=f"casemate down {name}, or choose another name with --name"
        )
    wanted = set(_titles(inventory))
    for other in names:
        taken = wanted & set(_titles(RunFolder(runs, other).read().inventory))
        if taken:
            raise InputError(
                f"{min(taken)} exists in the run {other!r}", fix=f"casemate down {other}, or use another namespace"
            )


def _pods_of(template: PodTemplate) -> Iterator[PodState]:
    """The Pods of a template that will run at the same time, as far as host ports go."""
    match template.workload:
        case Deployment(spec=spec) | ReplicaSet(spec=spec) | StatefulSet(spec=spec) if (
            spec and spec.replicas is not None
        ):
            count = spec.replicas
        case Job(spec=JobSpec(parallelism=int(parallelism))):
            count = parallelism
        case _:
            count = 1
    ports = tuple(each for container in template.spec.containers for each in container.ports)
    for number in range(count if any(each.hostPort for each in ports) else 0):
        name = f"{template.name} (replica {number + 1})" if count > 1 else template.name
        yield PodState(template.namespace, name, ports=ports, host_network=bool(template.spec.hostNetwork))


def _titles(inventory: Inventory) -> Iterable[str]:
    for template in inventory.pod_templates():
        yield template.title
    for service in inventory.services:
        yield f"Service {namespace_of(service.metadata)}/{name_of(service.metadata)}"
