"""`node doctor`, `plan`, `apply` and `revert` on a real CRI-O, with Pods that run meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import crio
import pytest
from commandline import casemate
from crio_nodes import CrioNode, node, stop

from casemate.errors import RefusedError, RuntimeFault
from casemate.node import apply, prepare, settings
from casemate.node import crio as written

pytestmark = pytest.mark.root

GVISOR = """[crio.runtime.runtimes.gvisor]
runtime_path = "{shim}"
runtime_type = "vm"
"""
LATER = """[crio.runtime.runtimes.runc]
runtime_path = "{runc}"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[CrioNode]:
    """A node with CRI-O."""
    with node(Path(f"/tmp/cmo-{os.getpid()}")) as made:
        yield made


@pytest.fixture
def made(running: CrioNode) -> Iterator[CrioNode]:
    """The node as it was first, whatever the test did to it."""
    before = running.files()
    yield running
    running.remove_pods()
    apply.revert(str(running.config), quiet)
    assert running.files() == before


def quiet(_: str) -> None:
    """Nobody watches."""


def applied(made: CrioNode, names: list[str]) -> None:
    done = apply.apply(made.where, names, apply.begin(made.where, names, quiet), quiet, tries=1)
    assert [(each.handler, each.reason) for each in done.measured] == [(each, "") for each in names]
    assert all(each.memory for each in done.measured)


@contextmanager
def changed(made: CrioNode, texts: dict[str, str]) -> Iterator[None]:
    """CRI-O as it runs with other drop-ins."""
    stop(made)
    for name, text in texts.items():
        (made.drop_ins / name).parent.mkdir(exist_ok=True)
        (made.drop_ins / name).write_text(text)
    made.start()
    try:
        yield
    finally:
        stop(made)
        for name in texts:
            (made.drop_ins / name).unlink()
            if "/" in name:
                (made.drop_ins / name).parent.rmdir()
        made.start()


def doctor(made: CrioNode) -> dict[str, dict[str, object]]:
    """Results by id, and handlers by name."""
    done = casemate("node", "doctor", "--socket", made.socket, "-o", "json")
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    return (
        {"runtime": report["runtime"]}
        | {each["id"]: each for each in report["items"]}
        | {each["name"]: each for each in report["handlers"]}
    )


def told_by(made: CrioNode) -> dict[str, dict[str, object]]:
    """The handlers that the daemon itself says it runs with."""
    command = [crio.build() / "crio", "status", "--socket", made.socket, "config"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return written.runtimes(tomllib.loads(done.stdout))


def test_doctor_tells_what_the_daemon_itself_says(made: CrioNode) -> None:
    made.run_pod()
    report = doctor(made)
    runtime = report["runtime"]
    assert (runtime["kind"], runtime["flavour"]) == ("crio", "crio")  # whatever else this machine has
    assert (runtime["version"], runtime["pid"]) == (crio.VERSION, made.pid)
    assert runtime["config"] == str(made.config)
    told = {name: each["runtime_path"] for name, each in told_by(made).items()}
    assert {name: report[name]["program"] for name in told} == told
    assert {report[name]["boundary"] for name in told} == {"shared"}
    assert report["CN301"]["result"] == "pass"  # also of crun, for which no file has a path
    assert report["CN308"]["result"] == "fail"  # CRI-O's own table of crun lets Pods ask for devices
    assert "devices.crio.io" in str(report["CN308"]["evidence"])
    assert report["CN804"]["result"] == "fail"  # its Pod asked for no seccomp profile, and got none
    assert not settings.of("crio", prepare.prepare(made.where, ["crun"]).before).seccomp_default_on


def test_doctor_makes_of_files_what_crio_makes_of_them(made: CrioNode) -> None:
    shim, other = made.folder / "bin" / "containerd-shim-runsc-v1", made.folder / "bin" / "youki"
    shutil.copy("/bin/true", shim)
    with changed(made, {"20-gvisor.conf": GVISOR.format(shim=shim), "30/later.conf": LATER.format(runc=other)}):
        told, report = told_by(made), doctor(made)
        assert "gvisor" not in told
        assert "ignores gVisor's shim" in str(report["gvisor"]["ignored"])
        assert (report["gvisor"]["boundary"], report["CN301"]["result"]) == ("unknown", "fail")
        assert told["runc"]["runtime_path"] == report["runc"]["program"] == str(other)
        planned = written.runtimes(prepare.prepare(made.where, ["crun"]).before)["runc"]
        assert (planned["runtime_path"], planned["monitor_path"]) == (str(other), "")  # nothing of the earlier table
    shim.unlink()


def test_plan_shows_the_diff_and_changes_nothing(made: CrioNode) -> None:
    before = made.files()
    done = casemate("node", "plan", "--socket", made.socket, "--handler", "youki")
    assert done.returncode == 0, done.stderr
    assert "+[crio.runtime.runtimes.youki]" in done.stdout
    assert f"{made.drop_ins}/99-casemate.conf" in done.stdout
    assert made.files() == before


def test_gvisor_is_not_planned_for_a_crio_that_cannot_start_it(made: CrioNode) -> None:
    names = ("runsc", "containerd-shim-runsc-v1")
    for name in names:
        shutil.copy("/bin/true", made.folder / "bin" / name)
    with pytest.raises(RefusedError, match=r"ignores gVisor's shim: 1\.37 is the first"):
        prepare.prepare(made.where, ["runsc"])
    for name in names:
        (made.folder / "bin" / name).unlink()


def test_apply_adds_the_handler_and_revert_restores_every_byte(made: CrioNode) -> None:
    before, container = made.files(), made.run_pod()
    applied(made, ["youki"])
    assert 'monitor_path = "/usr/bin/conmon"' in (made.drop_ins / "99-casemate.conf").read_text()
    assert told_by(made)["youki"]["runtime_path"] == str(made.folder / "bin" / "youki")
    assert made.running() >= {container}
    assert made.run_pod("youki") in made.running()
    with pytest.raises(RefusedError, match="1 Pods run under handlers that would go"):
        apply.revert(str(made.config), quiet)
    made.remove_pods()
    apply.revert(str(made.config), quiet)
    assert made.files() == before
    assert "youki" not in told_by(made)


def test_a_pod_that_disguises_its_handler_keeps_every_handler(made: CrioNode) -> None:
    applied(made, ["youki"])
    made.run_pod(annotations={"io.kubernetes.cri-o.RuntimeHandler": "youki"})
    with pytest.raises(RefusedError, match="1 Pods run under handlers that would go"):
        apply.revert(str(made.config), quiet)


def test_a_handler_that_starts_no_pod_is_taken_back_with_everything(made: CrioNode) -> None:
    before, container, youki = made.files(), made.run_pod(), made.folder / "bin" / "youki"
    whole = youki.read_bytes()
    youki.write_text("#!/bin/sh\nexit 1\n")
    try:
        with pytest.raises(RuntimeFault, match=r"no Pod starts under handler youki.*everything was put back"):
            applied(made, ["youki"])
    finally:
        youki.write_bytes(whole)
    assert made.files() == before
    assert container in made.running()


def test_a_configuration_that_crio_refuses_is_neither_planned_on_nor_restarted_into(made: CrioNode) -> None:
    applied(made, ["youki"])
    broken = made.drop_ins / "50-broken.conf"
    broken.write_text("[broken")
    pid = made.pid
    with pytest.raises(RuntimeFault, match="refuses its configuration"):
        prepare.prepare(made.where, ["youki"])
    with pytest.raises(RuntimeFault, match="refuses its configuration"):
        apply.revert(str(made.config), quiet)
    broken.unlink()
    assert made.pid == pid
