"""The CRI client against a real containerd."""

import asyncio
import contextlib
import signal

import pytest
from containers import started_container, started_sandbox

from casemate.engine.containerd import process
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import EngineUnreachable, NotFound, Unsupported
from casemate.engine.paths import EnginePaths
from casemate.errors import IncompleteError, RuntimeFault

pytestmark = pytest.mark.root


def test_a_container_lives_through_its_whole_life(in_sandbox) -> None:
    async def life(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sh", "-c", "trap 'exit 7' TERM; sleep 100 & wait"])
        assert (await client.container_status(container)).state == pb.CONTAINER_RUNNING
        assert [each.id for each in await client.containers(sandbox_id=sandbox[0])] == [container]
        await client.stop_container(container, 10)
        ended = await client.container_status(container)
        assert (ended.state, ended.exit_code) == (pb.CONTAINER_EXITED, 7)
        await client.remove_container(container)
        with pytest.raises(NotFound):
            await client.container_status(container)

    in_sandbox(life)


def test_labels_find_only_what_bears_them(in_sandbox) -> None:
    async def find(client: CriClient, sandbox) -> None:
        uid = sandbox[1].metadata.uid
        assert len(await client.pod_sandboxes({"io.kubernetes.pod.uid": uid})) == 1
        assert await client.pod_sandboxes({"io.kubernetes.pod.uid": "another"}) == []

    in_sandbox(find)


def test_a_command_gives_its_output_and_exit_code(in_sandbox) -> None:
    async def run(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sleep", "100"])
        done = await client.exec_sync(container, ["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 3)
        with pytest.raises(IncompleteError):
            await client.exec_sync(container, ["sleep", "20"], timeout=1)
        with pytest.raises(RuntimeFault, match="nope"):
            await client.exec_sync(container, ["nope"])

    in_sandbox(run)


def test_limits_change_while_the_container_runs(in_sandbox) -> None:
    async def change(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sleep", "100"])
        await client.update_container_resources(container, pb.LinuxContainerResources(memory_limit_in_bytes=64 << 20))
        stats = await client.container_stats({"io.kubernetes.pod.uid": sandbox[1].metadata.uid})
        assert stats[0].memory.usage_bytes.value > 0
        shown = await client.exec_sync(
            container,
            ["sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"],
        )
        assert int(shown.stdout) == 64 << 20

    in_sandbox(change)


def test_stopping_and_removing_what_is_gone_is_no_error(node: EnginePaths) -> None:
    async def remove() -> None:
        async with CriClient(str(node.socket)) as client:
            await client.stop_container("gone", 0)
            await client.remove_container("gone")
            await client.stop_pod_sandbox("gone")
            await client.remove_pod_sandbox("gone")

    asyncio.run(remove())


def test_an_unknown_handler_is_a_fault_that_names_it(node: EnginePaths) -> None:
    async def start() -> None:
        async with CriClient(str(node.socket)) as client, started_sandbox(client, node, handler="nope"):
            pass

    with pytest.raises(RuntimeFault, match="nope"):
        asyncio.run(start())


def test_a_socket_that_nobody_serves_is_an_unreachable_engine(tmp_path) -> None:
    async def ask() -> None:
        async with CriClient(str(tmp_path / "socket")) as client:
            await client.version()

    with pytest.raises(EngineUnreachable, match="casemate engine start"):
        asyncio.run(ask())


def test_an_old_engine_says_that_it_does_not_know_a_call(node: EnginePaths) -> None:
    if process.version(process.binary()) >= (2,):
        pytest.skip("this containerd knows RuntimeConfig")

    async def ask() -> None:
        async with CriClient(str(node.socket)) as client:
            await client.runtime_config()

    with pytest.raises(Unsupported):
        asyncio.run(ask())


def test_events_tell_what_containers_do(node: EnginePaths) -> None:
    async def watch() -> list[str]:
        seen: list[str] = []
        async with CriClient(str(node.socket)) as client:

            async def listen() -> None:
                async for event in client.container_events():
                    seen.extend([pb.ContainerEventType.Name(event.container_event_type)])

            listening = asyncio.create_task(listen())
            await asyncio.sleep(0.2)
            if listening.done():
                await listening
            async with started_sandbox(client, node) as sandbox:
                await started_container(client, sandbox, ["true"])
                await asyncio.sleep(0.5)
            listening.cancel()
        return seen

    if process.version(process.binary()) < (1, 7):
        with pytest.raises(Unsupported):
            asyncio.run(watch())
    else:
        assert {"CONTAINER_CREATED_EVENT", "CONTAINER_STARTED_EVENT", "CONTAINER_STOPPED_EVENT"} <= set(
            asyncio.run(watch())
        )


def test_the_client_finds_containerd_again_after_it_was_killed(node: EnginePaths) -> None:
    async def survive() -> None:
        async with CriClient(str(node.socket)) as client, started_sandbox(client, node) as sandbox:
            container = await started_container(client, sandbox, ["sleep", "100"])
            pid = process.running(node)
            assert pid
            process.os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(RuntimeFault):
                await client.version()
            await asyncio.to_thread(process.start, node)
            async with asyncio.timeout(5):
                while True:
                    with contextlib.suppress(EngineUnreachable):
                        assert (await client.container_status(container)).state == pb.CONTAINER_RUNNING
                        break

    asyncio.run(survive())
