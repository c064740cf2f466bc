"""`casemate compare`."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import Parameter

from casemate import exit_codes
from casemate.cli.options import EngineName, GivenImages, Output, Seconds, by_name
from casemate.cli.progress import Progress
from casemate.cli.root import require_root
from casemate.engine import compare_run
from casemate.engine.compare import compare as compare_trials
from casemate.engine.compare import differs_in_output
from casemate.engine.compare_run import Trials
from casemate.engine.ensure import ensure_started
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.submit import run_name
from casemate.engine.supervise.progress import Goal
from casemate.errors import InputError
from casemate.model.comparison import Comparison, Ending
from casemate.model.handler import Handler
from casemate.report.compare import comparison_json, print_comparison
from casemate.sources.document import Document
from casemate.sources.files import load

_NAMESPACE = "casemate-compare"


def compare(
    image: str | None = None,
    /,
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    file: Annotated[list[str], Parameter(name=["--file", "-f"], negative=(), allow_leading_hyphen=True)] = [],  # noqa: B006
    runtimes: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006 - cyclopts copies it
    with_image: GivenImages = [],  # noqa: B006
    wait: Literal["ready", "completed"] | None = None,
    timeout: Seconds = 120.0,
    output: Output = "table",
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Run the same thing under several runtimes, and show where it fares otherwise than under the first.

    Each runtime gets a run of its own, one after another, and it is taken down at once. Ends with 1 when an outcome, an
    exit code or the output differs; with 4 when nothing differs but a time limit passed. A line that also differs in a
    second run under the first runtime does not count.

    Parameters
    ----------
    image
        The image to run, when there is no --file.
    command
        Arguments for the image's entrypoint, after --.
    file
        A manifest, a folder of manifests, or - for standard input; may be given several times. Its
        classes do not count.
    runtimes
        Which, by comma: handlers (runsc) or classes (gvisor); the first is the one to compare with. All that work
        here when there is none.
    wait
        ready or completed. When there is none: completed where every Pod ends by itself, else ready.
    timeout
        Seconds for each runtime.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    documents = _documents(image, command, file)
    paths = EnginePaths(engine)
    require_root("compare")
    settings = ensure_started(paths)
    names = list(dict.fromkeys(each for some in runtimes for each in some.split(",") if each))
    chosen = compare_run.resolve(names, paths, settings.default_handler)
    goal = Goal(wait or ("completed" if compare_run.can_end(documents) else "ready"))
    name = f"compare-{run_name(file)}"[:30].strip("-") if file else "compare"
    say = Progress().say
    trials = Trials(name, documents, paths, settings, goal, timeout, given=by_name(with_image), say=say)
    comparison = _compared(trials, chosen)
    print(comparison_json(comparison)) if output == "json" else print_comparison(comparison)
    late = any(each.trial.ending is Ending.TIMED_OUT for each in comparison.items)
    return exit_codes.after_looking(found=comparison.differ, missed=late)


def _compared(trials: Trials, chosen: Sequence[tuple[str, Handler]]) -> Comparison:
    """Run one after another; the first once more, where output differs, to see what changes by itself."""
    done = []
    for runtime, handler in chosen:
        trials.say(f"{runtime}: running")
        done.append(trials.run(runtime, handler))
    again = None
    if differs_in_output(done):
        trials.say(f"{chosen[0][0]}: once more, to see what changes by itself")
        again = trials.run(*chosen[0])
    return compare_trials(done, again)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _documents(image: str | None, command: tuple[str, ...], files: list[str]) -> tuple[Document, ...]:
    if files and (image or command):
        raise InputError("an image and --file", fix="give one of them; a manifest says its own command")
    if files:
        return load(files, sys.stdin.buffer)
    if image is None:
        raise InputError("nothing to compare", fix="casemate compare IMAGE -- ARGUMENTS, or -f FILE")
    container = {"name": "main", "image": image, "args": list(command)}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "compare", "namespace": _NAMESPACE},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    return load(["-"], io.BytesIO(json.dumps(pod).encode()))
