"""`casemate ps`."""

from __future__ import annotations

from casemate.cli.options import EngineName, Output
from casemate.cli.root import require_root
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.supervise.client import SupervisorClient
from casemate.errors import InputError
from casemate.prove import keep
from casemate.report.pods import print_table, runs_json


def ps(run: str | None = None, *, output: Output = "table", engine: EngineName = DEFAULT_ENGINE) -> int:
    """List the Pods of all runs, or of one.

    Parameters
    ----------
    run
        Only this run's Pods.
    """
    paths = EnginePaths(engine)
    require_root("ps")
    runs = [each for each in SupervisorClient(paths).snapshot() if run in (None, each.name)]
    if run and not runs:
        raise InputError(f"there is no run called {run!r}", fix="casemate ps shows all runs")
    proven = keep.proven(paths.proofs)
    if output == "json":
        print(runs_json(runs, proven=proven))
    else:
        print_table(runs, proven=proven)
    return 0
