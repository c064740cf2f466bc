"""`casemate engine`: install, start, stop, status."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from casemate.cli.options import EngineName, Output
from casemate.cli.root import require_root
from casemate.engine import known_handlers, lifecycle
from casemate.engine.cri.client import CriClient
from casemate.engine.install import apply, plan
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.engine.settings import EngineSettings, load_settings
from casemate.engine.supervise import process as supervisor
from casemate.errors import CasemateError, InputError, MissingError
from casemate.report.handlers import EngineStatus, print_status, status_json
from casemate.report.screen import Screen, columns

app = App(name="engine", help="Install, start, stop and inspect the embedded engine.")


@app.command
def install(
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask.")] = False,
    offline: Annotated[bool, Parameter(negative="", help="Only say what is missing.")] = False,
) -> int:
    """Bring in what the engine needs: prints the plan, asks, does it. Doing it again changes nothing."""
    wanted = plan.look()
    _print_plan(wanted)
    if not wanted.missing:
        print("nothing is missing")
        return 0
    names = ", ".join(part.name for part in wanted.missing)
    if offline:
        raise MissingError(f"missing: {names}", fix="casemate engine install, with a network")
    require_root("engine install")
    apply.check_possible(wanted)
    if not yes and not _agreed(len(wanted.missing)):
        return 1
    apply.apply(wanted, _say)
    left = plan.look().missing
    if left:
        raise MissingError(f"still missing: {', '.join(part.name for part in left)}")
    print("done")
    return 0


@app.command
def start(
    *,
    cri: Annotated[str | None, Parameter(help="Socket of a containerd that is there, instead of an own one.")] = None,
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Start the engine, and try its handlers."""
    require_root("engine start")
    paths = EnginePaths(engine)
    settings = lifecycle.start(paths, str(Path(cri.removeprefix("unix://")).absolute()) if cri else None)
    print_status(_status(paths, settings))
    return 0


@app.command
def stop(*, engine: EngineName = DEFAULT_ENGINE) -> int:
    """Stop the engine with everything that runs in it. Images, claims and logs stay."""
    require_root("engine stop")
    lifecycle.stop(EnginePaths(engine))
    return 0


@app.command
def status(*, output: Output = "table", engine: EngineName = DEFAULT_ENGINE) -> int:
    """Show the engine and its handlers as they were last tried."""
    require_root("engine status")
    paths = EnginePaths(engine)
    found = _status(paths, load_settings(paths))
    if output == "json":
        print(status_json(found))
    else:
        print_status(found)
    return 0


def _status(paths: EnginePaths, settings: EngineSettings) -> EngineStatus:
    try:
        version = asyncio.run(_version(settings.cri_socket))
    except CasemateError:
        version = ""
    return EngineStatus(
        name=paths.name,
        running=bool(version),
        supervised=supervisor.running(paths) is not None,
        cri_socket=settings.cri_socket,
        engine_version=version,
        default_handler=settings.default_handler,
        handlers=known_handlers.load(paths),
    )


async def _version(socket: str) -> str:
    async with CriClient(socket) as client:
        reply = await client.version(timeout=2)
        return f"{reply.runtime_name} {reply.runtime_version}"


def _print_plan(wanted: plan.Plan) -> None:
    table = columns("PART", "STATE", "FROM", "VERSION", "WHY", folded=["FROM", "VERSION", "WHY"])
    for part in wanted.parts:
        state = "present" if part.present else "missing"
        table.add_row(part.name, state, str(part.source), part.version, part.why)
    Screen().print(table)


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise InputError("nobody is there to agree to the plan", fix="casemate engine install --yes")
    answer = input(f"install {count} part{'s' if count > 1 else ''}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
