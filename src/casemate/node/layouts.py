"""Where distributions keep their runtime's configuration, and which of them a node is.

1. A layout fits when its marker is there (where it has one) and its socket or its configuration file is.
2. The first that fits counts; a runtime that runs outranks one that is only configured.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec
import yaml


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of layouts.yaml."""

    id: str
    kind: Literal["containerd", "crio"]
    socket: str
    config: str
    template: dict[int, str] = {}
    drop_ins: str = ""
    live: bool = False
    marker: str = ""
    units: tuple[str, ...] = ()


@cache
def layouts() -> tuple[Layout, ...]:
    """All rows, in the order in which they are tried."""
    text = resources.files(__package__).joinpath("layouts.yaml").read_bytes()
    return msgspec.convert(yaml.safe_load(text), tuple[Layout, ...])


def find(root: Path = Path("/")) -> Layout | None:
    """The layout of the node whose files lie below `root`; None when it has no runtime that casemate knows."""
    fitting = [each for each in layouts() if not each.marker or _below(root, each.marker).exists()]
    running = (each for each in fitting if _below(root, each.socket).is_socket())
    configured = (each for each in fitting if _below(root, each.config).exists())
    return next(running, None) or next(configured, None)


def named(layout: str) -> Layout:
    """The layout of that id."""
    return next(each for each in layouts() if each.id == layout)


def of_config(file: str) -> Layout | None:
    """The layout that has that configuration file."""
    return next((each for each in layouts() if each.config == file), None)


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
