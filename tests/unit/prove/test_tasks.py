"""Processes of the node: whose they are, and what they carry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from casemate.prove import tasks
from casemate.prove.tasks import Digests, Seen

UID = "0a1b-2c"
CGROUPS = [
    ("4:memory:/casemate/e/pod0a1b-2c/abc\n", True),
    ("0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0a1b_2c.slice/cri-x.scope\n", True),
    ("0::/kubepods/besteffort/pod0a1b-2c\n", True),
    ("0::/kubepods/besteffort/pod0a1b-2cd\n", False),
    ("0::/system.slice/pod0a1b-2c-fake\n", False),
    ("0::/\n", False),
]


@pytest.mark.parametrize(("cgroups", "inside"), CGROUPS)
def test_a_pods_processes_are_told_by_their_cgroup(cgroups: str, inside: bool) -> None:
    seen = Seen(7, 1, b"x\0", cgroups)
    assert bool(tasks.of_pod([seen], f"pod{UID}")) is inside


def test_a_process_that_left_the_cgroup_is_still_its_parents() -> None:
    inside = Seen(7, 1, b"", "4:memory:/a/pod1\n")
    child, grandchild = Seen(8, 7, b"", "4:memory:/\n"), Seen(9, 8, b"", "4:memory:/\n")
    other = Seen(10, 1, b"", "4:memory:/a/pod11\n")
    assert tasks.of_sandbox([grandchild, other, child, inside], "/a/pod1", "id") == (grandchild, child, inside)


@pytest.mark.parametrize(
    ("cgroups", "inside"),
    [
        ("0::/kata_overhead/0a1b\n", True),
        ("0::/kata_overhead/kubepods/pod1/0a1b\n", True),
        ("0::/kata_overhead/0a1b2\n", False),
        ("0::/another/0a1b\n", False),
    ],
)
def test_katas_monitor_beside_the_pods_cgroup_is_the_sandboxs(cgroups: str, inside: bool) -> None:
    assert bool(tasks.of_sandbox([Seen(7, 1, b"qemu\0", cgroups)], "/a/pod1", "0a1b")) is inside


def test_the_kernels_own_threads_are_told_from_processes() -> None:
    assert Seen(7, 2, b"", "0::/kubepods/pod1\n").is_kernels
    assert not Seen(7, 2, b"fake\0", "").is_kernels
    assert not Seen(7, 1, b"", "").is_kernels


def test_a_challenge_is_found_among_the_nodes_processes() -> None:
    word = os.urandom(32).hex()
    with subprocess.Popen([sys.executable, "-c", "input()", word], stdin=subprocess.PIPE) as child:
        try:
            found = [each.pid for each in tasks.scan() if each.carries(word)]
        finally:
            child.kill()
    assert found == [child.pid]


def test_a_process_is_read_with_what_confines_it() -> None:
    own = tasks.look(os.getpid(), Digests())
    assert own
    assert own.digest == Digests().of(Path(sys.executable).resolve())
    assert own.namespaces["pid"] == Path("/proc/self/ns/pid").stat().st_ino
    assert own.arguments[0].endswith("python") or "py" in own.arguments[0]


def test_a_process_that_ended_is_no_process_that_cannot_be_read() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie
    with pytest.raises(ProcessLookupError):
        tasks.look(child.pid, Digests())
    child.wait()
    with pytest.raises(ProcessLookupError):
        tasks.look(child.pid, Digests())


def test_a_kernels_own_thread_cannot_be_read_as_a_process() -> None:
    stopped = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stopped.send_signal(signal.SIGSTOP)
    assert tasks.look(stopped.pid, Digests())
    stopped.kill()
    stopped.wait()
