"""What each handler is: a Pod's own view of its kernel, and the sandbox's process."""

from __future__ import annotations

import asyncio
import json
import platform
import time

import pytest
from pods_by_hand import pod

from casemate.engine import known_handlers
from casemate.engine.paths import EnginePaths
from casemate.model.boundary import Boundary

pytestmark = pytest.mark.root
BUSYBOX = "casemate.local/busybox:1"
NATIVE = ("runc", "crun", "runsc")


def test_every_handler_was_tried_and_works(life: EnginePaths) -> None:
    found = {each.name: each for each in known_handlers.load(life)}
    assert {*NATIVE, "wasm"} <= set(found)
    for each in found.values():
        assert each.works, each.reason
        assert each.version
        assert each.start_seconds is not None
        assert each.start_seconds < 5
    assert found["runsc"].boundary is found["wasm"].boundary is Boundary.SANDBOX
    assert found["runc"].boundary is Boundary.SHARED


def test_dmesg_in_a_gvisor_pod_shows_gvisors_boot(life: EnginePaths) -> None:
    async def look() -> tuple[int, str]:
        async with pod(life, "runsc") as made:
            return await made.run(BUSYBOX, "dmesg")

    code, said = asyncio.run(look())
    assert code == 0
    assert "Starting gVisor" in said


@pytest.mark.parametrize(("handler", "own"), [("runc", True), ("crun", True), ("runsc", False)])
def test_a_pod_sees_the_nodes_kernel_unless_it_has_its_own(life: EnginePaths, handler: str, own: bool) -> None:
    async def look() -> tuple[int, str]:
        async with pod(life, handler) as made:
            return await made.run(BUSYBOX, "uname", "-r")

    code, said = asyncio.run(look())
    assert code == 0
    assert (said == platform.release()) is own


@pytest.mark.parametrize("handler", NATIVE)
def test_exit_codes_and_exec_are_the_programs(life: EnginePaths, handler: str) -> None:
    async def look() -> None:
        async with pod(life, handler) as made:
            assert (await made.run(BUSYBOX, "sh", "-c", "exit 7"))[0] == 7
            container = await made.start(BUSYBOX, "sleep", "60")
            result = await made.client.exec_sync(container, ["sh", "-c", "echo out; exit 3"], 10)
            assert (result.stdout, result.exit_code) == (b"out\n", 3)
            await made.client.stop_container(container, 10)
            assert (await made.end(container)).exit_code == 143

    asyncio.run(look())


def test_a_sandbox_ends_at_once_and_leaves_no_zombies_where_processes_are_shared(life: EnginePaths) -> None:
    async def look() -> float:
        async with pod(life, "runc", share_processes=True) as made:
            container = await made.start(BUSYBOX, "sh", "-c", "(sleep 0.1 & ) ; sleep 60")
            await asyncio.sleep(0.5)
            states = await made.client.exec_sync(container, ["sh", "-c", "cat /proc/[0-9]*/stat"], 10)
            processes = [line.split(b" ")[1:3] for line in states.stdout.splitlines()]
            assert processes[0][0] == b"(pause)"
            assert not [name for name, state in processes if state == b"Z"]
            begun = time.monotonic()
            await made.client.stop_container(container, 0)
            await made.client.stop_pod_sandbox(made.sandbox_id)
            return time.monotonic() - begun

    assert asyncio.run(look()) < 3


def test_seccomp_is_the_runtimes_default_where_nothing_is_asked_for(life: EnginePaths) -> None:
    async def look() -> str:
        async with pod(life, "runc") as made:
            return (await made.run(BUSYBOX, "grep", "Seccomp:", "/proc/self/status"))[1]

    assert asyncio.run(look()).split() == ["Seccomp:", "2"]


def test_status_is_the_same_for_programs(life: EnginePaths, casemate: object) -> None:
    assert callable(casemate)
    done = casemate("engine", "status", "-o", "json", CASEMATE_ENGINE=life.name)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["running"] is True
    assert {item["name"] for item in document["items"]} >= {*NATIVE, "wasm"}
