"""Handler wasm: what a module can do, and what neither it nor anything else can."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from pods_by_hand import Pod, pod

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.paths import EnginePaths
from casemate.errors import RuntimeFault
from conftest import PROBE

pytestmark = pytest.mark.root
BUSYBOX = "casemate.local/busybox:1"
LISTEN = {"casemate.dev/wasm-listen": "8080"}
Result = TypeVar("Result")


def in_pod(paths: EnginePaths, work: Callable[[Pod], Awaitable[Result]]) -> Result:
    async def go() -> Result:
        async with pod(paths, "wasm") as made:
            return await work(made)

    return asyncio.run(go())


REFUSED = [
    (BUSYBOX, "sh", "sh is a native program"),
    (PROBE, "/component.wasm", "Wasm component"),
    (PROBE, "/script", "is a script"),
    (PROBE, "/none.wasm", "no such file"),
]


@pytest.mark.parametrize(("image", "program", "reason"), REFUSED)
def test_what_is_no_core_module_does_not_start_and_cri_says_why(
    life: EnginePaths, image: str, program: str, reason: str
) -> None:
    with pytest.raises(RuntimeFault, match=reason):
        in_pod(life, lambda made: made.start(image, program))


@pytest.mark.parametrize(("arguments", "code"), [(("exit", "0"), 0), (("exit", "7"), 7), (("trap",), 2)])
def test_the_modules_exit_code_is_the_containers(life: EnginePaths, arguments: tuple[str, ...], code: int) -> None:
    found, said = in_pod(life, lambda made: made.run(PROBE, "/probe.wasm", *arguments))
    assert found == code, said


def test_exec_is_refused_in_words(life: EnginePaths) -> None:
    async def work(made: Pod) -> None:
        container = await made.start(PROBE, "/probe.wasm", "sleep")
        await made.client.exec_sync(container, ["/probe.wasm", "exit", "0"], 5)

    with pytest.raises(RuntimeFault, match="exec is refused"):
        in_pod(life, work)


def test_sigterm_ends_a_module_at_once(life: EnginePaths) -> None:
    async def work(made: Pod) -> tuple[int, float]:
        container = await made.start(PROBE, "/probe.wasm", "sleep")
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        await made.client.stop_container(container, 20)
        return (await made.end(container)).exit_code, time.monotonic() - begun

    code, seconds = in_pod(life, work)
    assert code == 143
    assert seconds < 5


ESCAPES = (
    "/proc/self/mem",
    "/memory",
    "/climber",
    "/../proc/1/environ",
    "/sys/kernel/notes",
    "/dev/kmsg",
    "/module.json",
)


def test_nothing_outside_of_the_images_files_is_in_reach(life: EnginePaths) -> None:
    _, said = in_pod(life, lambda made: made.run(PROBE, "/probe.wasm", "read", *ESCAPES))
    lines = [line for line in said.splitlines() if not line.startswith("arguments")]
    assert [line.split()[0] for line in lines] == list(ESCAPES)
    assert all(line.split()[1] == '""' and "<nil>" not in line for line in lines), said


def test_a_module_has_the_containers_files_and_volumes_read_only_where_they_are(
    life: EnginePaths, tmp_path: Path
) -> None:
    (tmp_path / "given").write_text("by the node")
    mounts = [
        pb.Mount(host_path=str(tmp_path), container_path="/data"),
        pb.Mount(host_path=str(tmp_path), container_path="/fixed", readonly=True),
    ]

    async def work(made: Pod) -> tuple[str, str, str]:
        read = await made.run(PROBE, "/probe.wasm", "read", "/data/given", "/fixed/given", mounts=mounts)
        wrote = await made.run(PROBE, "/probe.wasm", "write", "/data/new", "/fixed/new", "/new", mounts=mounts)
        locked = await made.run(PROBE, "/probe.wasm", "write", "/new", "/data/other", mounts=mounts, read_only=True)
        return read[1], wrote[1], locked[1]

    read, wrote, locked = in_pod(life, work)
    assert read.count('"by the node"') == 2
    assert wrote.splitlines()[1:] == [
        "/data/new <nil>",
        "/fixed/new open /fixed/new: Read-only file system",
        "/new <nil>",
    ]
    assert (tmp_path / "new").read_text() == "x"
    assert locked.splitlines()[1:] == ["/new open /new: Read-only file system", "/data/other <nil>"]


def test_a_proc_file_system_as_a_volume_is_refused(life: EnginePaths) -> None:
    mounts = [pb.Mount(host_path="/proc", container_path="/data", readonly=True)]
    code, said = in_pod(life, lambda made: made.run(PROBE, "/probe.wasm", "exit", "0", mounts=mounts))
    assert code == 126
    assert "a proc file system cannot be a volume of a Wasm container" in said


def test_a_module_cannot_grow_past_its_containers_memory(life: EnginePaths) -> None:
    limit = 160 << 20
    code, said = in_pod(life, lambda made: made.run(PROBE, "/probe.wasm", "grow", memory=limit))
    assert code != 0
    assert "MiB 64" in said
    assert "MiB 176" not in said


def test_a_module_serves_http_on_the_ports_that_it_is_given_and_rests_in_between(life: EnginePaths) -> None:
    async def work(made: Pod) -> tuple[list[str], float]:
        container = await made.start(PROBE, "/probe.wasm", "serve", annotations=LISTEN)
        url = f"http://{await made.address()}:8080"
        replies = await asyncio.to_thread(ask_many, url)
        await asyncio.sleep(3)
        before = await processor_seconds(made, container)
        await asyncio.sleep(2)
        return replies, await processor_seconds(made, container) - before

    replies, idle = in_pod(life, work)
    assert sorted(replies) == sorted(f"module says /{number}\n" for number in range(64))
    assert idle < 0.2


def ask_many(url: str) -> list[str]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda number: ask(f"{url}/{number}"), range(64)))


def ask(url: str, seconds: float = 20) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return str(reply.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def processor_seconds(made: Pod, container: str) -> float:
    found = await made.client.container_stats()
    used = next(each.cpu.usage_core_nano_seconds.value for each in found if each.attributes.id == container)
    return float(used) / 1e9
