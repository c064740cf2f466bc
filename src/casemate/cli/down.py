"""`casemate down`."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from casemate.cli.options import EngineName, Seconds
from casemate.cli.root import require_root
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.supervise.client import SupervisorClient
from casemate.engine.supervise.run_record import RunFolder, run_names
from casemate.engine.volumes.prepare import remove_claim
from casemate.errors import InputError


def down(
    run: str | None = None,
    *,
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False,
    claims: Annotated[bool, Parameter(negative=())] = False,
    timeout: Seconds | None = None,
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Stop a run's Pods, within their grace period, and remove all that the run made.

    Data behind PersistentVolumeClaims stays, for the next run of the same name, unless `--claims` is given.

    Parameters
    ----------
    run
        Which run; not needed when there is just one.
    everything
        All runs.
    claims
        Remove the data behind the run's PersistentVolumeClaims, too.
    timeout
        Give up after so many seconds (exit code 4); removal goes on in the background.
    """
    paths = EnginePaths(engine)
    require_root("down")
    names = run_names(paths.runs)
    for name in names if everything else [_one(run, names)]:
        doomed = RunFolder(paths.runs, name).read().inventory.claims if claims else ()
        for _ in SupervisorClient(paths).down(name, timeout):
            pass
        for claim in doomed:
            if claim.metadata:
                remove_claim(paths, claim.metadata.namespace or "default", claim.metadata.name or "")
        print(f"{name}: removed", file=sys.stderr)
    return 0


def _one(run: str | None, names: list[str]) -> str:
    if run in names:
        return run
    if run is None and len(names) == 1:
        return names[0]
    if not names:
        raise InputError("there is no run", fix="casemate run -f FILE starts one")
    what = f"there is no run called {run!r}" if run else "which run?"
    raise InputError(what, fix=f"runs: {', '.join(names)}; --all removes all")
