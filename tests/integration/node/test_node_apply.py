"""`node apply` and `revert` on real containerds, with Pods that run meanwhile."""

from __future__ import annotations

import pytest
from nodes import Node

from casemate.node import apply, effective, prepare

pytestmark = pytest.mark.root


def quiet(_: str) -> None:
    """Nobody watches."""


def applied(node: Node, names: list[str]) -> None:
    apply.apply(node.where, names, apply.begin(node.where, names, quiet), quiet, tries=1)


@pytest.fixture
def names(node: Node) -> list[str]:
    """Debian's crun where this containerd takes it, else a stand-in."""
    return ["crun"] if node.version == 2 else ["youki"]


def handlers(node: Node) -> set[str]:
    found = prepare.prepare(node.where, ["runc"])
    return set(effective.runtimes(found.before))


def test_apply_adds_the_handler_and_revert_restores_every_byte(node: Node, names: list[str]) -> None:
    before, container = node.files(), node.run_pod()
    applied(node, names)
    assert handlers(node) == {"runc", *names}
    assert node.running() >= {container}
    assert node.run_pod(names[0]) in node.running()
    node.remove_pods()
    apply.revert(str(node.config), quiet)
    assert node.files() == before
    assert handlers(node) == {"runc"}
