"""The engine that a command needs: the one that runs, else started now."""

from __future__ import annotations

from casemate.engine.containerd import process
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings, load_settings
from casemate.errors import MissingError


def ensure_started(paths: EnginePaths) -> EngineSettings:
    """The engine's settings; starts it when it does not run. Raises `MissingError` when something is not installed."""
    try:
        settings = load_settings(paths)
    except MissingError:
        return _start(paths)
    if settings.external or (process.running(paths) is not None and paths.handlers.exists()):
        return settings
    return _start(paths)


def _start(paths: EnginePaths) -> EngineSettings:
    # Imported late: it takes as long as everything else that a command on a running engine imports.
    from casemate.engine import lifecycle

    return lifecycle.start(paths)
