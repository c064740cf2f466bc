"""What containers wrote, through the command line."""

import asyncio
import re
import subprocess

import pytest
from containers import casemate_on, command_line, started_container, started_sandbox

from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths

pytestmark = pytest.mark.root


def test_both_streams_are_shown(node: EnginePaths, pod: str) -> None:
    assert sorted(casemate_on(node, "logs", pod, "-c", "second").stdout.split()) == [b"one", b"two"]
    assert casemate_on(node, "logs", f"default/{pod}", "-c", "second", "--tail", "0").stdout == b""


def test_without_c_the_first_container_is_meant_and_named(node: EnginePaths, pod: str) -> None:
    done = casemate_on(node, "logs", pod)
    assert (done.stdout, done.returncode) == (b"", 0)
    assert b"container main of: main, second" in done.stderr


def test_timestamps_stand_before_each_line(node: EnginePaths, pod: str) -> None:
    lines = casemate_on(node, "logs", pod, "-c", "second", "--timestamps").stdout.splitlines()
    assert all(re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (one|two)", line) for line in lines)


def test_a_long_line_is_one_line_again(in_sandbox, node: EnginePaths) -> None:
    async def write(client: CriClient, sandbox) -> None:
        command = ["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end; printf unfinished; sleep 0.2"]
        await started_container(client, sandbox, command)
        await asyncio.sleep(1)
        name = sandbox[1].metadata.name
        done = await asyncio.to_thread(casemate_on, node, "logs", name)
        assert done.stdout == b"x" * 100000 + b"\nend\nunfinished"

    in_sandbox(write)


def test_following_shows_lines_as_they_come_and_ends_with_the_container(in_sandbox, node: EnginePaths) -> None:
    async def follow(client: CriClient, sandbox) -> None:
        await started_container(client, sandbox, ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.5; done"])
        command = command_line("logs", "-f", sandbox[1].metadata.name, engine=node)
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert process.stdout
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"1\n"
            assert process.returncode is None
            assert await process.stdout.read() == b"2\n3\n"
            assert await process.wait() == 0

    in_sandbox(follow)


def test_previous_is_the_container_before_the_restart(node: EnginePaths) -> None:
    async def restart() -> None:
        async with CriClient(str(node.socket)) as client, started_sandbox(client, node) as sandbox:
            first = await started_container(client, sandbox, ["sh", "-c", "echo first"])
            await client.stop_container(first, 1)
            await started_container(client, sandbox, ["sh", "-c", "echo second; sleep 100"], attempt=1)
            await client.remove_container(first)
            name = sandbox[1].metadata.name
            assert (await asyncio.to_thread(casemate_on, node, "logs", name)).stdout == b"second\n"
            assert (await asyncio.to_thread(casemate_on, node, "logs", "--previous", name)).stdout == b"first\n"

    asyncio.run(restart())
