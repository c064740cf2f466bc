"""Commands that only root can carry out say so, with the command to type instead."""

from __future__ import annotations

import os

from casemate.errors import MissingError


def require_root(command: str, why: str = "this needs root") -> None:
    """Raise `MissingError` for anybody but root. `command` is the one that was typed, without `casemate`."""
    if os.geteuid():
        raise MissingError(why, fix=f"sudo casemate {command}")
