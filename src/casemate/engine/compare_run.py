"""Run the same thing under one runtime after another, and observe what `compare` needs.

1. A runtime is named as Pods name it: by a handler, or by a class that the catalogue has for the handler. All names are
   resolved before the first run; RuntimeClasses of the input and the Pods' own overhead do not count.
2. Each trial is a run of its own, one after another, so that none takes memory or processors from the next. It is taken
   down in any case, with the data of its claims. Data that was there before is not touched: its claim is an error.
3. A field that cannot be honoured under a runtime is that trial's result, not an error.
4. Times are CRI's: from the Pod's acceptance until all its containers ran, and from the first start of a container to
   the last end. Memory is the peak of the Pods' cgroups: containers, sandbox and what gVisor keeps in it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from casemate.catalogue import runtimes
from casemate.catalogue.runtimes import Runtimes
from casemate.engine import cgroup, known_handlers, preflight, refused_calls
from casemate.engine import logs as container_logs
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.instance import POD_UID_LABEL
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.submit import Plan, accept
from casemate.engine.supervise.client import SupervisorClient
from casemate.engine.supervise.progress import Goal, reached
from casemate.engine.supervise.run_record import run_names
from casemate.engine.volumes import layout
from casemate.engine.volumes.prepare import remove_claim
from casemate.errors import IncompleteError, InputError, MissingError, RefusedError
from casemate.model.comparison import Ending, Trial
from casemate.model.handler import Handler
from casemate.model.inventory import Inventory
from casemate.model.status import PodStatus, RunStatus
from casemate.sources.document import Document
from casemate.sources.inventory import inventory

_NOT_STARTED = frozenset(("StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"))
_NANO = 1e9


@dataclass
class Trials:
    """What all trials of one comparison have in common. `images` are brought in by the first that gets there."""

    name: str
    documents: Sequence[Document]
    paths: EnginePaths
    settings: EngineSettings
    goal: Goal
    timeout: float
    given: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = lambda _: None
    images: dict[str, str] | None = None

    def run(self, runtime: str, handler: Handler) -> Trial:
        """One trial, taken down whatever happens (rule 2)."""
        try:
            flight = preflight.check(
                self.documents,
                _run_name(self.name, handler),
                self.paths,
                self.settings,
                now=True,
                change=_to(handler),
            )
            plan = preflight.settle(flight, allow_degraded=False, say=self.say)
        except RefusedError as error:  # raised before anything was started
            return structs.replace(_blank(runtime, handler), ending=Ending.REFUSED, reason=error.what)
        return self.observe(plan, runtime, handler)

    def observe(self, plan: Plan, runtime: str, handler: Handler) -> Trial:
        """Run what is planned, and observe it."""
        self._check_claims(plan)
        if self.images is None:
            self.images = preflight.fetch_images(plan.inventory, self.given, self.settings, self.say)
        accept(plan, self.images, self.paths)
        try:
            status, in_time = self._follow(plan.name)
            return asyncio.run(self._observed(_blank(runtime, handler), status, in_time=in_time))
        finally:
            self._take_down(plan)

    def _follow(self, name: str) -> tuple[RunStatus | None, bool]:
        last: RunStatus | None = None
        try:
            for status in SupervisorClient(self.paths).keep(name, self.timeout):
                last = status if status.pods or last is None else structs.replace(last, error=status.error)
                if reached(self.goal, status):
                    return last, True
        except IncompleteError:
            return last, False
        return last, True

    def _take_down(self, plan: Plan) -> None:
        if plan.name in run_names(self.paths.runs):
            for _ in SupervisorClient(self.paths).down(plan.name):
                pass
        for namespace, name in _claims(plan):
            remove_claim(self.paths, namespace, name)

    def _check_claims(self, plan: Plan) -> None:
        for namespace, name in _claims(plan):
            if layout.claim_folder(self.paths, namespace, name).exists():
                raise InputError(
                    f"the claim {namespace}/{name} has data of an earlier run, which a comparison would change",
                    fix="compare on another engine (--engine), or remove the data: casemate down --claims",
                )

    async def _observed(self, trial: Trial, status: RunStatus | None, *, in_time: bool) -> Trial:
        pods = dict(_named(status.pods)) if status else {}
        async with CriClient(self.settings.cri_socket) as client:
            ends = [await _ended(client, pod.uid) for pod in pods.values()]
        containers = [end for each in ends for end in each]
        folders = [_log_folder(self.paths, pod) for pod in pods.values()]
        ending, reason = _ending(status, self.goal, in_time=in_time)
        calls, note = _calls(trial.handler, folders, status)
        return structs.replace(
            trial,
            ending=ending,
            reason=reason,
            exit_codes={f"{name}/{key}": code for name, pod in pods.items() for key, code in pod.exit_codes.items()},
            output=dict(_output(pods, self.paths)),
            start_seconds=max(
                (pod.start_seconds for pod in pods.values() if pod.start_seconds is not None), default=None
            ),
            run_seconds=_run_seconds(containers),
            memory=_peak([self._cgroup(pod) for pod in pods.values()]),
            refused_calls=calls,
            calls_note=note,
        )

    def _cgroup(self, pod: PodStatus) -> str:
        return cgroup.pod_cgroup_path(self.paths.name, pod.uid, systemd=self.settings.systemd_cgroups)


def resolve(names: Sequence[str], paths: EnginePaths, default: str) -> list[tuple[str, Handler]]:
    """The handlers that are meant; without names all that work, the default first. Raises for those that do not."""
    known, catalogue = known_handlers.load(paths), runtimes.load()
    if not names:
        working = sorted((each for each in known if each.works), key=lambda each: each.name != default)
        return [(each.name, each) for each in working]
    return [(name, _working(name, known, catalogue)) for name in names]


def can_end(documents: Sequence[Document]) -> bool:
    """Whether every Pod of the input ends by itself, or would if it worked."""
    policies = (template.spec.restartPolicy for template in inventory(documents).pod_templates())
    return all((policy or "Always") != "Always" for policy in policies)


def _run_name(name: str, handler: Handler) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{name}-{handler.name}".lower())[:40].strip("-")


def _working(name: str, known: Sequence[Handler], catalogue: Runtimes) -> Handler:
    found = next((each for each in known if name == each.name or name in catalogue.class_names(each.name)), None)
    if found is None:
        raise InputError(
            f"this engine has no runtime {name!r}",
            where="--runtimes",
            fix=f"use some of: {', '.join(each.name for each in known if each.works)}; or casemate engine install",
        )
    if not found.works:
        raise MissingError(
            f"the handler {found.name!r} does not work here: {found.reason}",
            where="--runtimes",
            fix="casemate engine status",
        )
    return found


def _blank(runtime: str, handler: Handler) -> Trial:
    return Trial(
        runtime=runtime,
        handler=handler.name,
        version=handler.version,
        boundary=handler.boundary,
        ending=Ending.NOT_STARTED,
    )


def _to(handler: Handler) -> Callable[[Inventory], Inventory]:
    """Every Pod under that handler (rule 1)."""

    def change(found: Inventory) -> Inventory:
        plain = structs.replace(found, runtime_classes=())
        return plain.with_pod_specs(
            lambda template: structs.replace(template.spec, runtimeClassName=handler.name, overhead={})
        )

    return change


def _claims(plan: Plan) -> Iterator[tuple[str, str]]:
    for claim in plan.inventory.claims:
        if claim.metadata:
            yield claim.metadata.namespace or "default", claim.metadata.name or ""


def _named(pods: Sequence[PodStatus]) -> Iterator[tuple[str, PodStatus]]:
    """Pods by names that are the same in each trial: those of their workloads, numbered where there are several."""
    ordered = sorted(pods, key=lambda pod: (pod.owner, pod.name))
    owners = Counter(pod.owner for pod in ordered)
    short = Counter(owner.rpartition("/")[2] for owner in owners)
    seen: Counter[str] = Counter()
    for pod in ordered:
        name = pod.owner.rpartition("/")[2]
        name = pod.owner if short[name] > 1 else name
        seen[pod.owner] += 1
        yield (f"{name}[{seen[pod.owner]}]" if owners[pod.owner] > 1 else name), pod


def _ending(status: RunStatus | None, goal: Goal, *, in_time: bool) -> tuple[Ending, str]:
    if status is None:
        return Ending.TIMED_OUT, "nothing was heard of it in time"
    containers = [(pod, each) for pod in status.pods for each in pod.containers]
    unstarted = next((each.message or each.reason for _, each in containers if each.reason in _NOT_STARTED), "")
    if status.error or unstarted:
        return Ending.NOT_STARTED, status.error or unstarted
    if not in_time:
        done = [pod.phase.final or (pod.ready and goal is Goal.READY) for pod in status.pods]
        waiting = [pod.name for pod, finished in zip(status.pods, done, strict=True) if not finished]
        return Ending.TIMED_OUT, f"when the time limit passed, not done: {', '.join(waiting)}"
    reason = next((pod.message or pod.reason for pod in status.pods if pod.message or pod.reason), "")
    ended = goal is Goal.COMPLETED or all(pod.phase.final for pod in status.pods)
    return (Ending.ENDED if ended else Ending.READY), reason


async def _ended(client: CriClient, uid: str) -> list[pb.ContainerStatus]:
    return [await client.container_status(each.id) for each in await client.containers({POD_UID_LABEL: uid})]


def _run_seconds(containers: Sequence[pb.ContainerStatus]) -> float | None:
    started = [each.started_at for each in containers if each.started_at > 0]
    if not started or any(each.state != pb.CONTAINER_EXITED for each in containers):
        return None
    return max(0.0, (max(each.finished_at for each in containers) - min(started)) / _NANO)


def _log_folder(paths: EnginePaths, pod: PodStatus) -> Path:
    return paths.logs / f"{pod.namespace}_{pod.name}_{pod.uid}"


def _output(pods: Mapping[str, PodStatus], paths: EnginePaths) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, pod in pods.items():
        for container in pod.containers:
            logs = sorted((_log_folder(paths, pod) / container.name).glob("*.log"), key=lambda each: int(each.stem))
            for stream in ("stdout", "stderr"):
                text = b"".join(each for log in logs for each in _written(log, stream))
                yield f"{name}/{container.name}/{stream}", tuple(text.decode("utf-8", "replace").splitlines())


def _written(log: Path, stream: str) -> Iterator[bytes]:
    with log.open("rb") as lines:
        for line in lines:
            entry = container_logs.parse(line)
            if entry.stream == stream:
                yield entry.render(timestamp=False)


def _peak(paths: Sequence[str], root: Path = cgroup.ROOT) -> int | None:
    """The peaks of these cgroups together (rule 4); the kernel tells them since version 1, in 2 from Linux 5.19 on."""
    peaks = []
    for path in paths:
        files = (root / "memory" / path[1:] / "memory.max_usage_in_bytes", root / path[1:] / "memory.peak")
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            return None
        peaks.append(int(found.read_text()))
    return sum(peaks) if peaks else None


def _calls(handler: str, folders: Sequence[Path], status: RunStatus | None) -> tuple[tuple[str, ...] | None, str]:
    row = runtimes.load().of_handler(handler)
    if row and "gvisor" in row.families:
        return refused_calls.of_gvisor(folders), "calls that gVisor's kernel lacks"
    codes = [code for pod in (status.pods if status else ()) for code in pod.exit_codes.values()]
    if refused_calls.killed(codes):
        return None, "a seccomp filter killed a container (SIGSYS)"
    return None, "not observed"
