"""`casemate run`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal

from cyclopts import Parameter

from casemate.cli.options import EngineName, Output
from casemate.cli.progress import Progress
from casemate.engine import preflight
from casemate.engine.containerd.config import registries_folder
from casemate.engine.ensure import ensure_started
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.submit import accept, run_name
from casemate.engine.supervise.client import SupervisorClient
from casemate.engine.supervise.progress import Goal, exit_code, reached
from casemate.errors import IncompleteError, InputError, RuntimeFault
from casemate.images.registries import name_as_plain
from casemate.model.decision import Decision
from casemate.model.inventory import Inventory
from casemate.model.status import RunStatus
from casemate.prove import keep
from casemate.report.pods import print_decisions, print_table, runs_json
from casemate.report.support import notes_json, print_notes
from casemate.sources.files import load


def run(
    *,
    file: Annotated[list[str], Parameter(name=["--file", "-f"], negative=(), allow_leading_hyphen=True)],
    name: str | None = None,
    image: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006 - cyclopts copies it
    plain_http: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006
    wait: Literal["ready", "completed"] = "ready",
    detach: Annotated[bool, Parameter(name=["--detach", "-d"], negative=())] = False,
    timeout: float | None = None,
    now: Annotated[bool, Parameter(negative=())] = False,
    explain: Annotated[bool, Parameter(negative=())] = False,
    allow_degraded: Annotated[bool, Parameter(negative=())] = False,
    decide: Annotated[bool, Parameter(negative=())] = False,
    policy: Annotated[list[str], Parameter(negative=(), allow_leading_hyphen=True)] = [],  # noqa: B006
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
    image
        NAME=PATH: take the image NAME from an OCI layout (folder or tar) or a docker-archive; repeatable.
    plain_http
        REGISTRY: pull its images over plain HTTP, without TLS; repeatable.
    wait
        ready: until every Pod is ready or has succeeded. completed: until every Pod has ended.
    detach
        Do not wait at all.
    timeout
        Wait at most so many seconds (exit code 4); the Pods stay.
    now
        Run CronJobs once, at once.
    explain
        Only say which fields would be honoured, approximated or refused.
    allow_degraded
        Run although fields are refused; says what is lost.
    decide
        Give workloads without a class the one recommended for them, of those that work here, and say why. One under
        which something behaves differently is given only with --allow-degraded. JSON has them as `decisions`.
    """
    documents = load(file, sys.stdin.buffer)
    paths = EnginePaths(engine)
    settings = ensure_started(paths)
    decisions: list[Decision] = []
    change = _chooser(paths, settings, decisions, consent=allow_degraded) if decide else preflight.unchanged
    if policy:
        change = _policed(change, policy, paths, settings)
    flight = preflight.check(documents, name or run_name(file), paths, settings, now=now, change=change)
    if decisions and output == "table":
        print_decisions(decisions)
    if explain:
        print(notes_json(flight.notes)) if output == "json" else print_notes(flight.notes)
        return 0
    progress = Progress()
    plan = preflight.settle(flight, allow_degraded=allow_degraded, say=progress.say)
    for registry in plain_http:
        name_as_plain(registries_folder(paths), registry)
    images = preflight.fetch_images(plan.inventory, given_images(image), settings, progress.say)
    accept(plan, images, paths)
    return _follow(plan.name, Goal(wait), paths, progress, output, timeout, decisions, detach=detach)


def given_images(images: list[str]) -> dict[str, str]:
    """The images of `--image NAME=PATH` options. Raises `InputError`."""
    given = {}
    for each in images:
        reference, separator, path = each.partition("=")
        if not separator or not reference or not path:
            raise InputError(f"{each!r} is not NAME=PATH", where="--image", fix="--image shop/web:1=build/web")
        given[reference] = path
    return given


def _chooser(
    paths: EnginePaths, settings: EngineSettings, decisions: list[Decision], *, consent: bool
) -> Callable[[Inventory], Inventory]:
    # Imported late: what decides is of no use to runs that name their classes.
    from casemate.engine import choose

    return choose.chooser(paths, settings, consent=consent, tell=decisions.append)


def _policed(
    before: Callable[[Inventory], Inventory], files: Sequence[str], paths: EnginePaths, settings: EngineSettings
) -> Callable[[Inventory], Inventory]:
    # Imported late, as what decides is.
    from casemate.cli import policy_files
    from casemate.engine.policed import policed

    hold = policed(policy_files.read(files), paths, settings, lambda text: print(f"policy: {text}", file=sys.stderr))
    return lambda found: hold(before(found))


def _follow(
    name: str,
    goal: Goal,
    paths: EnginePaths,
    progress: Progress,
    output: str,
    timeout: float | None,
    decisions: Sequence[Decision],
    *,
    detach: bool,
) -> int:
    client = SupervisorClient(paths)
    status: RunStatus | None = None
    code = 4
    try:
        with progress:
            for status in _until(client.keep(name, timeout), goal, detach=detach):
                progress.show(status)
            code = 0 if detach else exit_code(goal, status) if status else 1
    except IncompleteError as error:
        print(f"casemate: {error}; the Pods stay: casemate ps {name}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\ncasemate: interrupted, taking {name} down", file=sys.stderr)
        for _ in client.down(name):
            pass
        raise
    if status is None:
        return code
    proven = keep.proven(paths.proofs)
    if output == "json":
        print(runs_json([status], decisions, proven))
    else:
        print_table([status], proven=proven)
    if status.error:
        raise RuntimeFault(f"the run could not start and was rolled back: {status.error}", where=name)
    return code


def _until(stream: Iterator[RunStatus], goal: Goal, *, detach: bool) -> Iterator[RunStatus]:
    last: RunStatus | None = None
    for status in stream:
        # A rolled-back run is shown as it was before its Pods went.
        last = _with_outcome(last, status) if last and last.pods and not status.pods else status
        yield last
        if detach or reached(goal, last):
            return


def _with_outcome(last: RunStatus, status: RunStatus) -> RunStatus:
    import msgspec

    return msgspec.structs.replace(last, error=status.error, removed=status.removed)
