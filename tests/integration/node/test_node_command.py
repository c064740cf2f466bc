"""The command line on a real node."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import casemate
from nodes import Node, node

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def old() -> Iterator[Node]:
    """A node with containerd 1.6 and gVisor's files."""
    with node(Path(f"/tmp/cmc-{os.getpid()}"), 2) as made:
        yield made


@pytest.fixture
def gvisor(old: Node) -> None:
    """gVisor's programs on the node's PATH, by the engine's launcher, as hosts without CAP_SYS_RESOURCE need it."""
    from casemate.engine.install import tools

    built, native = tools.gvisor(), tools.native()
    if not (built.present and native.present):
        pytest.fail("gVisor is not built: casemate engine install")
    for name, source in (
        ("runsc", built.folder / "runsc"),
        ("shim", built.folder / "shim"),
        ("containerd-shim-runsc-v1", native.folder / "shim-runsc"),
    ):
        shutil.copy(source, old.folder / "bin" / name)


def test_doctor_judges_the_running_runtime_and_its_pods(old: Node) -> None:
    old.run_pod()
    done = casemate("node", "doctor", "--socket", old.socket, "-o", "json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["runtime"]["config"] == str(old.config)
    assert report["runtime"]["pid"] == old.pid
    assert [each["boundary"] for each in report["handlers"]] == ["shared"]
    results = {each["id"]: each for each in report["items"]}
    assert results["CN303"]["result"] == "pass"
    assert results["CN804"]["result"] == "fail"  # this node sets no seccomp default, and the Pod asked for none
    assert "CVE-2024-21626" in str(results["CN205"]["evidence"])


def test_plan_shows_the_diff_and_changes_nothing(old: Node) -> None:
    before = old.files()
    done = casemate("node", "plan", "--socket", old.socket, "--handler", "crun")
    assert done.returncode == 0, done.stderr
    assert '+[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]' in done.stdout
    assert "restart: end and start again: containerd" in done.stdout
    assert old.files() == before


def test_nobody_to_agree_is_bad_usage(old: Node) -> None:
    done = casemate("node", "apply", "--socket", old.socket, "--handler", "crun")
    assert done.returncode == 2
    assert "--yes" in done.stderr


@pytest.mark.usefixtures("gvisor")
def test_gvisor_is_prepared_with_the_overhead_that_was_measured(old: Node) -> None:
    before = old.files()
    try:
        done = casemate("node", "apply", "--socket", old.socket, "--handler", "runsc", "--yes", "-o", "json")
        assert done.returncode == 0, done.stderr
        outcome = json.loads(done.stdout)
        (made,) = outcome["runtimeClasses"]
        assert made["handler"] == "runsc"
        assert made["scheduling"] == {"nodeSelector": {"node.casemate.dev/runsc": "ready"}}
        assert 20 <= int(made["overhead"]["podFixed"]["memory"].removesuffix("Mi")) <= 120
        report = json.loads(casemate("node", "doctor", "--socket", old.socket, "-o", "json").stdout)
        assert {each["name"]: each["boundary"] for each in report["handlers"]} == {"runc": "shared", "runsc": "sandbox"}
    finally:
        done = casemate("node", "revert", "--socket", old.socket, "--yes")
    assert done.returncode == 0, done.stderr
    assert old.files() == before
    assert not (old.folder / "runsc.toml").exists()


def test_a_measurement_repeats_within_a_tenth(old: Node) -> None:
    from casemate.node import measure

    first, second = (
        measure.measure(old.socket, ["runc"], "runc", "casemate.local/pause:1")[0].memory for _ in range(2)
    )
    assert abs(first - second) <= first / 10


def test_a_handler_that_is_not_installed_names_what_is_missing(old: Node) -> None:
    done = casemate("node", "plan", "--socket", old.socket, "--handler", "wasmedge")
    assert done.returncode == 3
    assert "containerd-shim-wasmedge-v1" in done.stderr


def test_the_embedded_engines_handlers_are_no_liars(engine: str) -> None:
    socket = json.loads(casemate("engine", "status", "-o", "json").stdout)["criSocket"]
    report = json.loads(casemate("node", "doctor", "--socket", socket, "-o", "json").stdout)
    boundaries = {each["name"]: (each["boundary"], each["namedBoundary"]) for each in report["handlers"]}
    assert boundaries["runsc"] == ("sandbox", "sandbox")
    assert boundaries["wasm"] == ("sandbox", "sandbox")
    assert next(each for each in report["items"] if each["id"] == "CN302")["result"] == "pass"


def restarting(old: Node, script: Path) -> str:
    """A command that ends the node's containerd and starts it again, as an init system other than systemd would."""
    hide = f"umount /sys/fs/cgroup/unified 2>/dev/null; exec containerd --config {old.config}"
    ended = f'while ! grep -q ") Z " /proc/{old.pid}/stat; do sleep 0.1; done'
    start = f"setsid unshare --mount --propagation slave sh -c '{hide}' >/dev/null 2>&1 </dev/null &"
    script.write_text(f"#!/bin/sh\nkill {old.pid}\n{ended}\n{start}\n")
    script.chmod(0o755)
    return str(script)


def test_a_command_restarts_the_runtime_where_it_is_given(old: Node, tmp_path: Path) -> None:
    before, container, script = old.files(), old.run_pod(), tmp_path / "restart"
    own = ("--socket", old.socket, "--yes", "--restart")
    done = casemate("node", "apply", "--handler", "crun", *own, restarting(old, script))
    assert done.returncode == 0, done.stderr
    assert "crun: works" in done.stdout
    assert container in old.running()
    old.remove_pods()
    restarting(old, script)
    done = casemate("node", "revert", *own, str(script))
    assert done.returncode == 0, done.stderr
    assert old.files() == before
