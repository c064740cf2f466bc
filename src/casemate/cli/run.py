"""`casemate run`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from casemate import exit_codes
from casemate.cli.options import EngineName, GivenImages, Output, Seconds, by_name, read_once
from casemate.cli.progress import Progress
from casemate.cli.root import require_root
from casemate.engine import preflight
from casemate.engine.containerd.config import registries_folder
from casemate.engine.ensure import ensure_started
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.submit import Plan, accept, run_name
from casemate.engine.supervise.client import SupervisorClient
from casemate.engine.supervise.progress import Goal, exit_code, reached
from casemate.errors import IncompleteError, RuntimeFault
from casemate.images.registries import name_as_plain
from casemate.model.decision import Decision
from casemate.model.inventory import Inventory
from casemate.model.status import RunStatus
from casemate.prove import keep
from casemate.report.pods import print_decisions, print_table, runs_json
from casemate.report.support import notes_json, print_notes
from casemate.sources.files import load

Change: TypeAlias = Callable[[Inventory], Inventory]


@Parameter(name="*")
@dataclass(frozen=True)
class Images:
    """Where images come from."""

    image: GivenImages = field(default_factory=list)
    plain_http: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """REGISTRY: pull its images over plain HTTP, without TLS; repeatable."""

    def fetch(
        self, plan: Plan, paths: EnginePaths, settings: EngineSettings, say: Callable[[str], None]
    ) -> dict[str, str]:
        """Bring all that the plan needs onto the engine: name as written → id."""
        for registry in self.plain_http:
            name_as_plain(registries_folder(paths), registry)
        return preflight.fetch_images(plan.inventory, by_name(self.image), settings, say)


@Parameter(name="*")
@dataclass(frozen=True)
class Until:
    """How long to wait, and for what."""

    wait: Literal["ready", "completed"] = "ready"
    """ready: until every Pod is ready or has succeeded. completed: until every Pod has ended."""
    detach: Annotated[bool, Parameter(name=["--detach", "-d"], negative=())] = False
    """Do not wait at all."""
    timeout: Seconds | None = None
    """Wait at most so many seconds (exit code 4); the Pods stay."""

    def ends_with(self, status: RunStatus) -> bool:
        """Whether there is nothing more to wait for."""
        return self.detach or reached(Goal(self.wait), status)

    def exit_code(self, status: RunStatus | None) -> int:
        """The command's, after that last status."""
        if self.detach:
            return 0
        return exit_code(Goal(self.wait), status) if status else exit_codes.FOUND


@Parameter(name="*")
@dataclass(frozen=True)
class Classes:
    """Who may set a Pod's class besides its author."""

    allow_degraded: Annotated[bool, Parameter(negative=())] = False
    """Run although fields are refused; says what is lost."""
    decide: Annotated[bool, Parameter(negative=())] = False
    """Give workloads without a class the one recommended for them, of those that work here, and say why. One under
    which something behaves differently is given only with --allow-degraded. JSON has them as `decisions`."""
    policy: Annotated[list[str], Parameter(negative=(), allow_leading_hyphen=True)] = field(default_factory=list)
    """Policies and exceptions that hold for the run, and Namespaces beside them: files, folders or -; repeatable."""

    def change(self, paths: EnginePaths, settings: EngineSettings, decisions: list[Decision]) -> Change:
        """What sets the classes of an inventory; adds to `decisions` why."""
        # Imported late: what decides is of no use to runs that name their classes.
        change: Change = preflight.unchanged
        if self.decide:
            from casemate.engine import choose

            change = choose.chooser(paths, settings, consent=self.allow_degraded, tell=decisions.append)
        if self.policy:
            from casemate.cli import policy_files
            from casemate.engine.policed import policed

            hold = policed(policy_files.read(self.policy), paths, settings, _say_of_policy)
            return lambda found: hold(change(found))
        return change


def run(
    *,
    file: Annotated[list[str], Parameter(name=["--file", "-f"], negative=(), allow_leading_hyphen=True)],
    name: str | None = None,
    images: Images | None = None,
    until: Until | None = None,
    now: Annotated[bool, Parameter(negative=())] = False,
    explain: Annotated[bool, Parameter(negative=())] = False,
    classes: Classes | None = None,
    output: Output = "table",
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Run Kubernetes manifests on this machine, each Pod behind the boundary that its class asks for.

    The Pods are kept by a supervisor until `casemate down`. What cannot be honoured is refused before anything starts.

    Parameters
    ----------
    file
        A manifest, a folder of manifests, or - for standard input; may be given several times.
    name
        What to call the run; else the first file's or folder's name.
    now
        Run CronJobs once, at once.
    explain
        Only say which fields would be honoured, approximated or refused.
    """
    classes = classes or Classes()
    read_once(file, classes.policy)
    documents = load(file, sys.stdin.buffer)
    paths = EnginePaths(engine)
    require_root("run")
    settings = ensure_started(paths)
    decisions: list[Decision] = []
    change = classes.change(paths, settings, decisions)
    flight = preflight.check(documents, name or run_name(file), paths, settings, now=now, change=change)
    if decisions and output == "table":
        print_decisions(decisions)
    if explain:
        print(notes_json(flight.notes)) if output == "json" else print_notes(flight.notes)
        return 0
    progress = Progress()
    plan = preflight.settle(flight, allow_degraded=classes.allow_degraded, say=progress.say)
    accept(plan, (images or Images()).fetch(plan, paths, settings, progress.say), paths)
    status, code = _followed(plan.name, until or Until(), paths, progress)
    if status:
        _show(status, decisions, paths, output)
    return code


def _say_of_policy(text: str) -> None:
    print(f"policy: {text}", file=sys.stderr)


def _followed(name: str, until: Until, paths: EnginePaths, progress: Progress) -> tuple[RunStatus | None, int]:
    """The last status of a run, and the command's exit code; interrupted, the run is taken down."""
    client = SupervisorClient(paths)
    status: RunStatus | None = None
    try:
        with progress:
            for status in _statuses(client.keep(name, until.timeout), until):
                progress.show(status)
        return status, until.exit_code(status)
    except IncompleteError as error:
        print(f"casemate: {error}; the Pods stay: casemate ps {name}", file=sys.stderr)
        return status, error.exit_code
    except KeyboardInterrupt:
        print(f"\ncasemate: taking {name} down", file=sys.stderr)
        for _ in client.down(name):
            pass
        raise


def _show(status: RunStatus, decisions: Sequence[Decision], paths: EnginePaths, output: str) -> None:
    """How the run ended. Raises `RuntimeFault` when it was rolled back."""
    proven = keep.proven(paths.proofs)
    if output == "json":
        print(runs_json([status], decisions, proven))
    else:
        print_table([status], proven=proven)
    if status.error:
        raise RuntimeFault(f"the run could not start and was rolled back: {status.error}", where=status.name)


def _statuses(stream: Iterator[RunStatus], until: Until) -> Iterator[RunStatus]:
    last: RunStatus | None = None
    for status in stream:
        # A rolled-back run is shown as it was before its Pods went.
        last = _with_outcome(last, status) if last and last.pods and not status.pods else status
        yield last
        if until.ends_with(last):
            return


def _with_outcome(last: RunStatus, status: RunStatus) -> RunStatus:
    import msgspec

    return msgspec.structs.replace(last, error=status.error, removed=status.removed)
