"""`node apply` and `revert` on real containerds, with Pods that run meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nodes import Node

from casemate.errors import CasemateError, RefusedError, RuntimeFault
from casemate.node import apply, effective, prepare
from casemate.node.journal import Store

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


def test_a_second_apply_changes_nothing_and_still_knows_what_was_measured(node: Node, names: list[str]) -> None:
    applied(node, names)
    pid, files = node.pid, node.files()
    again = apply.apply(node.where, names, apply.begin(node.where, names, quiet), quiet)
    assert again.changed == ()
    assert [each.handler for each in again.measured] == names
    assert (node.pid, node.files()) == (pid, files)


def test_a_handler_that_starts_no_pod_is_taken_back_with_everything(node: Node) -> None:
    before, container = node.files(), node.run_pod()
    youki = node.folder / "bin" / "youki"
    youki.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(RuntimeFault, match=r"no Pod starts under handler youki.*everything was put back"):
        applied(node, ["youki"])
    assert node.files() == before
    assert handlers(node) == {"runc"}
    assert container in node.running()


def test_a_revert_refuses_while_pods_run_under_handlers_that_would_go(node: Node, names: list[str]) -> None:
    applied(node, names)
    container = node.run_pod(names[0])
    with pytest.raises(RefusedError, match="1 Pods run under handlers that would go"):
        apply.revert(str(node.config), quiet)
    assert container in node.running()


def written(node: Node) -> Path:
    """The file that has the handler now."""
    record = Store(str(node.config)).read()
    assert record is not None
    return Path(record.applied[0].kept[0].path)


def test_a_revert_refuses_to_lose_what_others_wrote_into_its_tables(node: Node, names: list[str]) -> None:
    applied(node, names)
    changed = written(node)
    changed.write_text(changed.read_text().replace("SystemdCgroup = false", "SystemdCgroup = true"))
    with pytest.raises(RefusedError, match="changed since casemate wrote it"):
        apply.revert(str(node.config), quiet)
    assert "SystemdCgroup = true" in changed.read_text()


def test_a_revert_keeps_what_others_added_to_the_file(node: Node) -> None:
    if node.version != 2:
        pytest.skip("a drop-in is casemate's own")
    before = node.config.read_text()
    applied(node, ["crun"])
    node.config.write_text(f"# another tool's line\n{node.config.read_text()}# and its end\n")
    done = apply.revert(str(node.config), quiet)
    assert done.kept_edits == (str(node.config),)
    assert node.config.read_text() == f"# another tool's line\n{before}# and its end\n"
    assert handlers(node) == {"runc"}


def test_a_revert_does_not_restart_into_what_others_broke(node: Node, names: list[str]) -> None:
    applied(node, names)
    node.config.write_text(node.config.read_text() + "\n[broken")
    pid = node.pid
    with pytest.raises(RuntimeFault, match="refuses its configuration"):
        apply.revert(str(node.config), quiet)
    assert node.pid == pid


def test_a_plan_that_is_out_of_date_is_refused(node: Node, names: list[str]) -> None:
    seen = apply.begin(node.where, names, quiet)
    node.config.write_text(node.config.read_text() + "\n# edited meanwhile\n")
    (node.folder / "conf.d").mkdir(exist_ok=True)
    (node.folder / "conf.d" / "50-casemate.toml").write_text(f"version = {node.version}\n# edited meanwhile\n")
    with pytest.raises(RefusedError, match="changed since the plan was shown"):
        apply.apply(node.where, names, seen, quiet)


def test_a_configuration_that_the_runtime_refuses_is_not_planned_on(node: Node, names: list[str]) -> None:
    node.config.write_text(node.config.read_text() + "\n[broken")
    with pytest.raises(CasemateError):
        prepare.prepare(node.where, names)


def test_two_applies_are_reverted_together(node: Node) -> None:
    before = node.files()
    shutil.copy(node.folder / "bin" / "youki", node.folder / "bin" / "crun")
    applied(node, ["youki"])
    applied(node, ["youki", "crun"])
    assert handlers(node) == {"runc", "youki", "crun"}
    apply.revert(str(node.config), quiet)
    assert node.files() == before


def test_the_effective_configuration_is_exactly_the_planned_one(node: Node, names: list[str]) -> None:
    planned = apply.begin(node.where, names, quiet)
    apply.apply(node.where, names, planned, quiet, tries=1)
    assert prepare.prepare(node.where, names).before == planned.after
