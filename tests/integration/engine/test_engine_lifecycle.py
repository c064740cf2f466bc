"""An engine that is started, killed and stopped: what must go on goes on, and nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pods_by_hand import EXITED, pod

from casemate.engine import known_handlers, lifecycle
from casemate.engine.containerd import namespace, process
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import load_settings
from casemate.engine.supervise import process as supervisor
from casemate.errors import CasemateError, InputError
from conftest import PROBE, bring_in, forget

pytestmark = pytest.mark.root
BUSYBOX = "casemate.local/busybox:1"
RUNNING = 1


@pytest.fixture
def short(images: dict[str, Path], life: EnginePaths) -> Iterator[EnginePaths]:
    """An engine for one test; the session's runs beside it."""
    paths = EnginePaths("ci-short")
    lifecycle.start(paths)
    try:
        bring_in(paths, images)
        yield paths
    finally:
        forget(paths)


def test_starting_again_changes_nothing(life: EnginePaths) -> None:
    before = process.running(life), supervisor.running(life), life.settings.read_bytes()
    lifecycle.start(life)
    assert (process.running(life), supervisor.running(life), life.settings.read_bytes()) == before


def test_two_engines_share_no_address_and_no_sandbox(life: EnginePaths, short: EnginePaths) -> None:
    first, second = load_settings(life), load_settings(short)
    assert first.pod_network != second.pod_network

    async def sandboxes() -> tuple[int, int]:
        async with pod(short, "runc"), CriClient(first.cri_socket) as one, CriClient(second.cri_socket) as other:
            return len(await one.pod_sandboxes()), len(await other.pod_sandboxes())

    assert asyncio.run(sandboxes()) == (0, 1)


@pytest.mark.parametrize("handler", ["runc", "runsc"])
def test_pods_outlive_a_killed_containerd_and_it_comes_back(life: EnginePaths, handler: str) -> None:
    async def work() -> None:
        async with pod(life, handler) as made:
            container = await made.start(BUSYBOX, "sleep", "60")
            killed = process.running(life)
            assert killed
            os.kill(killed, signal.SIGKILL)
            await answering(made.client, container)
            assert process.running(life) not in (None, killed)
            assert (await made.client.exec_sync(container, ["echo", "here"], 10)).stdout == b"here\n"

    asyncio.run(work())


async def answering(client: CriClient, container: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if (await client.container_status(container)).state == RUNNING:
                return
        except CasemateError:
            assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_stop_leaves_nothing_whatever_was_killed_before(short: EnginePaths) -> None:
    asyncio.run(start_pods(short))
    keeper_and_more = set(namespace.members(short))
    veths_before = veths()
    for pid in sorted(keeper_and_more):  # containerd, every shim, supervisor
        os.kill(pid, signal.SIGKILL)
    lifecycle.stop(short)
    assert traces(short) == []
    assert set(veths_before) - set(veths())


def test_stop_ends_running_pods_of_every_handler(short: EnginePaths) -> None:
    asyncio.run(start_pods(short))
    lifecycle.stop(short)
    assert traces(short) == []


async def start_pods(paths: EnginePaths) -> None:
    async with CriClient(str(paths.socket)) as client:
        for handler in (each.name for each in known_handlers.load(paths) if each.works and each.name != "wasm"):
            config = pb.PodSandboxConfig(
                metadata=pb.PodSandboxMetadata(name=handler, uid=handler, namespace="default"),
                log_directory=str(paths.logs / handler),
            )
            config.linux.cgroup_parent = f"/casemate/{paths.name}/pod{handler}"
            sandbox = await client.run_pod_sandbox(config, handler)
            container = pb.ContainerConfig(
                metadata=pb.ContainerMetadata(name="main"),
                image=pb.ImageSpec(image=BUSYBOX),
                command=["sleep", "1000"],
                log_path="main.log",
            )
            await client.start_container(await client.create_container(sandbox, container, config))


def veths() -> list[str]:
    return [each.name for each in Path("/sys/class/net").glob("veth*")]


def traces(paths: EnginePaths) -> list[str]:
    """What is left of an engine: processes, mounts, namespaces, rules, cgroups, files of its state."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout.splitlines()
    named = f"/casemate/{paths.name}"
    return [
        *(line for line in mounts if named in line),
        *(line for line in rules if f"casemate-{paths.name} " in line),
        *(str(each) for each in Path("/sys/fs/cgroup").glob(f"**/casemate/{paths.name}")),
        *(str(each) for each in Path("/run/netns").glob(f"casemate-{paths.name}")),
        *([str(paths.state)] if paths.state.exists() else []),
        *(command for command in commands() if named in command),
    ]


def commands() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != str(os.getpid()):
            try:
                yield (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue


def test_a_containerd_that_was_there_is_used_and_left_as_it_was(life: EnginePaths) -> None:
    guest = EnginePaths("ci-guest")
    try:
        settings = lifecycle.start(guest, str(life.socket))
        assert settings.external
        found = {each.name: each.works for each in known_handlers.load(guest)}
        assert found["runc"]
        assert found["runsc"]
    finally:
        forget(guest)
    assert process.running(life)
    assert not guest.state.exists()
    asyncio.run(still_works(life))


async def still_works(paths: EnginePaths) -> None:
    async with pod(paths, "wasm") as made:
        assert (await made.run(PROBE, "/probe.wasm", "exit", "0"))[0] == 0
        assert len(await made.client.containers()) >= 1
        assert all(each.state in (RUNNING, EXITED) for each in await made.client.containers())


@pytest.mark.parametrize(
    ("name", "why"), [("none.sock", "no such file"), ("file", "it is no socket"), ("dead.sock", "Connection refused")]
)
def test_a_socket_that_nobody_serves_starts_nothing(name: str, why: str, tmp_path: Path) -> None:
    paths = EnginePaths("ci-nobody")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(InputError, match=f"no CRI at {tmp_path}/{name}: .*{why}"):
        lifecycle.start(paths, str(tmp_path / name))
    assert not paths.root.exists()
    assert not paths.state.exists()


def test_status_of_an_engine_that_was_never_started_says_so(casemate: object) -> None:
    assert callable(casemate)
    done = casemate("engine", "status", CASEMATE_ENGINE="ci-never")
    assert done.returncode == 3
    assert "was never started" in done.stderr
    assert json.dumps(done.stdout) == '""'
