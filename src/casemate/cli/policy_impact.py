"""`casemate policy impact`."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from casemate import exit_codes
from casemate.catalogue import tables
from casemate.cli import policy_files
from casemate.cli.inputs import Inputs
from casemate.cli.options import Output, read_once
from casemate.model.policy import PolicySettings
from casemate.model.policy_impact import Effect, Impact
from casemate.policy.impact import Foresight
from casemate.report.policy_impact import impact_json, impact_table


def impact(
    *path: Annotated[str, Parameter(allow_leading_hyphen=True)],
    policy: Annotated[list[str], Parameter(name=["--policy", "-p"], negative=(), allow_leading_hyphen=True)],
    inputs: Inputs | None = None,
    own_rows: Annotated[list[Path], Parameter(name="--catalogue", negative=())] = [],  # noqa: B006 - cyclopts copies it
    output: Output = "table",
) -> int:
    """Say what policies would change, deny and cost, before they are switched on.

    All policies are taken as if they enforced, and every workload as if it were created again. Reads only. Ends with 1
    when something would be denied, with 4 when nothing would be but not everything could be looked at.

    Parameters
    ----------
    path
        Manifests, folders of manifests, or - for standard input; the current folder when there is none.
    policy
        Policies and exceptions, and the RuntimeClasses, Nodes and Namespaces beside them.
    own_rows
        A file of your own rows for the catalogue; repeatable.
    """
    read_once(policy, path)
    written, catalogue = policy_files.read(policy), tables.load(own_rows)
    now = datetime.datetime.now(datetime.UTC)
    items: list[Impact] = []
    missed: list[str] = []
    for part in (inputs or Inputs()).read(path, sys.stdin.buffer):
        around = policy_files.merged(written.surroundings, part.surroundings)
        foresight = Foresight(written.policies, written.exceptions, around, catalogue, PolicySettings())
        items += foresight.impacts(part.workloads, now)
        missed += map(str, part.unreached)
        for each in part.skipped:
            print(f"casemate: passed over: {each}", file=sys.stderr)
    print(impact_json(items, missed) if output == "json" else impact_table(items, missed))
    denied = any(each.effect in (Effect.DENY, Effect.BREAKS) for each in items)
    return exit_codes.after_looking(found=denied, missed=bool(missed))
