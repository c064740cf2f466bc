"""Imports point down (DESIGN.md section 3); the contracts are in pyproject.toml."""

from __future__ import annotations

from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure


def test_imports_point_down() -> None:
    configure()
    assert lint_imports(config_filename="pyproject.toml")
