"""Hardening checks: rows of data, each with a pure function over the gathered facts.

Rules:

1. A check ends with pass, fail, not applicable, or could not look. Nothing passes because something was missing.
2. A function that has no row, or a row without function, is an error at load time, not a silent gap.
3. Modes are compared bit by bit (`mode & mask`), never as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from types import ModuleType
from typing import Final, TypeAlias

import msgspec
import yaml

from casemate.catalogue.rows import Certainty
from casemate.model.node import NodeFacts
from casemate.model.node_check import Checked
from casemate.node import (
    checks_config,
    checks_defaults,
    checks_files,
    checks_handlers,
    checks_host,
    checks_kubelet,
    checks_programs,
    checks_running,
    checks_sockets,
)
from casemate.node.judge import Judged

Check: TypeAlias = Callable[[NodeFacts], Judged]

_MODULES: Final = (
    checks_config, checks_defaults, checks_files, checks_handlers, checks_host, checks_kubelet, checks_programs,
    checks_running, checks_sockets,
)  # fmt: skip


class CheckRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of checks.yaml."""

    id: str
    check: str
    title: str
    tested: str
    fix: str
    source: str
    certainty: Certainty


@cache
def rows() -> tuple[CheckRow, ...]:
    """All rows, in the order of their ids."""
    text = resources.files(__package__).joinpath("checks.yaml").read_bytes()
    return msgspec.convert(yaml.safe_load(text), tuple[CheckRow, ...])


@cache
def functions() -> Mapping[str, Check]:
    """The functions by the names that rows use."""
    return {name: each for module in _MODULES for name, each in _checks(module).items()}


def run(facts: NodeFacts) -> tuple[Checked, ...]:
    """Every check on one node."""
    return tuple(_checked(row, functions()[row.check](facts)) for row in rows())


def _checked(row: CheckRow, judged: Judged) -> Checked:
    return Checked(
        id=row.id, title=row.title, verdict=judged.verdict, evidence=judged.evidence, fix=row.fix, source=row.source
    )


def _checks(module: ModuleType) -> dict[str, Check]:
    own = ((name, each) for name, each in vars(module).items() if not name.startswith("_") and callable(each))
    return {name: each for name, each in own if getattr(each, "__module__", "") == module.__name__}
