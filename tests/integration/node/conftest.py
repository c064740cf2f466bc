"""Nodes with a real containerd: 1.6 from Debian (schema 2), 2.4 (schemas 3 and 4)."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import nodes

VERSIONS = (2, 3, 4)


@pytest.fixture(params=VERSIONS, ids=[f"version-{each}" for each in VERSIONS])
def node(request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    """A running node of each schema version."""
    with nodes.node(Path(tempfile.mkdtemp(prefix="cmn-", dir="/tmp")), request.param) as made:
        yield made
