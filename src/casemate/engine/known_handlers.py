"""The handlers of an engine as they were last tried (`handlers.json`); `casemate.engine.handlers` tries them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casemate.engine.paths import EnginePaths
from casemate.errors import MissingError
from casemate.model.handler import Handler


def save(paths: EnginePaths, handlers: Sequence[Handler]) -> None:
    """Note the handlers as they were tried."""
    fresh = paths.handlers.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(handlers), indent=2))
    fresh.replace(paths.handlers)


def load(paths: EnginePaths) -> tuple[Handler, ...]:
    """The handlers as they were last tried. Raises `MissingError` when the engine was never started."""
    try:
        return msgspec.json.decode(paths.handlers.read_bytes(), type=tuple[Handler, ...])
    except FileNotFoundError:
        raise MissingError(f"engine {paths.name!r} was never started", fix="casemate engine start") from None
