"""An engine and its handlers as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from casemate.model.handler import Handler
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns


@dataclass(frozen=True)
class EngineStatus:
    """How an engine stands. `engine_version` is what CRI says, empty when it does not answer."""

    name: str
    running: bool
    supervised: bool
    cri_socket: str
    engine_version: str
    default_handler: str
    handlers: tuple[Handler, ...]


def status_json(status: EngineStatus) -> str:
    """`kind: EngineStatus` with one item per handler (DESIGN.md section 4)."""
    document = answer(
        "EngineStatus",
        name=status.name,
        running=status.running,
        supervised=status.supervised,
        criSocket=status.cri_socket,
        engineVersion=status.engine_version,
        defaultHandler=status.default_handler,
        items=[_item(handler) for handler in status.handlers],
    )
    return encoded(document)


def print_status(status: EngineStatus, screen: Screen | None = None) -> None:
    """Print a line about the engine and the table of its handlers to standard output."""
    screen = screen or Screen()
    screen.print(_headline(status), soft_wrap=True)
    table = columns("HANDLER", "RUNTIME", "VERSION", "BOUNDARY", "STATE", "START", folded=["STATE"], right=["START"])
    for handler in status.handlers:
        table.add_row(*_row(handler, status.default_handler))
    screen.print(table)


def _headline(status: EngineStatus) -> str:
    state = "running" if status.running else "stopped"
    watched = "" if status.supervised or not status.running else ", not supervised"
    version = f" · {status.engine_version}" if status.engine_version else ""
    return f"engine {status.name}: {state}{watched}{version} · {status.cri_socket}"


def _row(handler: Handler, default: str) -> tuple[str, ...]:
    name = f"{handler.name} (default)" if handler.name == default else handler.name
    start = "" if handler.start_seconds is None else f"{handler.start_seconds:.2f} s"
    state = "works" if handler.works else f"fails: {handler.reason}"
    return name, handler.runtime, handler.version, str(handler.boundary), state, start


def _item(handler: Handler) -> dict[str, object]:
    return {
        "name": handler.name,
        "runtime": handler.runtime,
        "version": handler.version,
        "path": handler.path,
        "boundary": str(handler.boundary),
        "works": handler.works,
        "reason": handler.reason,
        "startSeconds": handler.start_seconds,
    }
