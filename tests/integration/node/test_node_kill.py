"""kill -9 at every step of an apply and of a revert: the runtime works at any time, and the next command recovers."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nodes import Node
from test_node_apply import applied, handlers, quiet

from casemate.node import apply, process

pytestmark = pytest.mark.root
HERE = Path(__file__).parent


def killed(what: str, step: int | str, node: Node, handler: str) -> bool:
    """Whether there was such a step to be killed at."""
    command = [sys.executable, str(HERE / "killed.py"), what, str(step), node.socket, handler]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def handler_of(node: Node) -> str:
    return "crun" if node.version == 2 else "youki"


@pytest.mark.timeout(600)
def test_an_apply_that_is_killed_at_any_step_leaves_a_working_runtime(node: Node) -> None:
    before, container, name = node.files(), node.run_pod(), handler_of(node)
    for step in itertools.count(1):
        if not killed("apply", step, node, name):
            break
        node.wait()
        assert container in node.running(), f"step {step}: the Pod was lost"
        apply.revert(str(node.config), quiet)
        assert node.files() == before, f"step {step}"
        assert handlers(node) == {"runc"}
    assert step > 8
    assert handlers(node) == {"runc", name}


@pytest.mark.timeout(600)
def test_a_revert_that_is_killed_at_any_step_leaves_a_working_runtime(node: Node) -> None:
    before, container, name = node.files(), node.run_pod(), handler_of(node)
    for step in itertools.count(1):
        applied(node, [name])
        if not killed("revert", step, node, name):
            break
        node.wait()
        assert container in node.running(), f"step {step}: the Pod was lost"
        apply.revert(str(node.config), quiet)
        assert node.files() == before, f"step {step}"
    assert step > 3
    assert node.files() == before


def test_a_restart_that_was_begun_is_waited_for(node: Node) -> None:
    """The runtime is slow to end when casemate is killed, and would be there twice if the next one did not wait."""
    before, old = node.files(), node.pid
    assert killed("apply", "restart", node, handler_of(node))
    resumed = threading.Timer(1.0, os.kill, (old, signal.SIGCONT))
    resumed.start()
    apply.revert(str(node.config), quiet)
    resumed.join()
    assert node.files() == before
    assert runtimes(node) == [node.pid]


def runtimes(node: Node) -> list[int]:
    """Every process that is the node's runtime, or is about to be."""
    return [each for each in process.pids() if str(node.config) in process.arguments(each)]


def test_an_apply_after_a_killed_one_takes_it_back_and_succeeds(node: Node) -> None:
    name = handler_of(node)
    assert killed("apply", 6, node, name)
    node.wait()
    applied(node, [name])
    assert handlers(node) == {"runc", name}
