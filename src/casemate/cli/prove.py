"""`casemate prove`."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Annotated

from cyclopts import Parameter

from casemate.cli.options import EngineName, Output
from casemate.engine.ensure import ensure_started
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.errors import InputError, MissingError
from casemate.model.proof import Result
from casemate.prove import session
from casemate.prove.sandbox import Place
from casemate.prove.session import Asked
from casemate.report.proof import print_proofs, proofs_json

_Names = Annotated[list[str], Parameter(negative=())]


def prove(
    *,
    runtime: _Names = [],  # noqa: B006 - cyclopts copies it
    class_: Annotated[list[str], Parameter(name="--class", negative=())] = [],  # noqa: B006
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False,
    node: Annotated[bool, Parameter(negative=())] = False,
    cri: str | None = None,
    explain: Annotated[bool, Parameter(negative=())] = False,
    output: Output = "table",
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Show that the boundary that a handler or class names is the one that its sandboxes have.

    A prober runs in a sandbox of each handler with a random challenge, while the node's own processes are searched for
    it. Ends with 1 unless all are proven, with 3 when something needed is missing.

    Parameters
    ----------
    runtime
        Handlers to prove; repeatable. All of them when nothing is named.
    class_
        RuntimeClasses to prove; repeatable.
    everything
        All handlers.
    node
        All handlers of this node, and nothing that runs.
    cri
        The socket of the node's own containerd, in place of an engine of casemate's.
    explain
        Show every observation.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if os.geteuid():
        raise MissingError("only root sees the node's processes whole", fix="sudo casemate prove")
    if (everything or node) and (runtime or class_):
        raise InputError("--all and --node take no names", fix="name handlers and classes, or take all")
    place = _place(cri, engine)
    asked = Asked(tuple(runtime), tuple(class_))
    proofs = asyncio.run(session.prove(place, asked))
    print(proofs_json(proofs)) if output == "json" else print_proofs(proofs, explain=explain)
    return 0 if proofs and all(each.result is Result.PROVEN for each in proofs) else 1


def _place(cri: str | None, engine: str) -> Place:
    if cri:
        return session.node_place(cri.removeprefix("unix://"), systemd=False)
    paths = EnginePaths(engine)
    return session.engine_place(paths, ensure_started(paths))


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
