"""What a CRI client does to show each of critest's Linux specs, under one handler.

1. Each function replays the spec whose name stands in `specs.yaml`, by calls of our own. It raises what went wrong.
2. All work on an engine's containerd with busybox alone; where critest needs nginx or httpd, busybox serves.
3. A handler that runs Wasm modules only gets a module where any container will do.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri import stream
from casemate.engine.cri.client import CriClient, ExecResult
from casemate.errors import CasemateError
from casemate.prove.image import CHALLENGE_LENGTH, MODULE

BUSYBOX = "casemate.local/busybox:1"
SLEEP = ("sleep", "1000")
SECONDS = 20.0


@dataclass(frozen=True)
class Sandbox:
    """A sandbox with the configuration that made it."""

    id: str
    config: pb.PodSandboxConfig

    def log(self, name: str = "main") -> str:
        """What a container has written, without CRI's line heads."""
        file = Path(self.config.log_directory) / f"{name}.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return "".join(f"{line.split(' ', 3)[3]}\n" for line in lines)


@dataclass(frozen=True)
class Bench:
    """A client, the handler that is tried, and the image of a Wasm module when it runs nothing else."""

    client: CriClient
    handler: str
    folder: Path
    module: str = ""

    @asynccontextmanager
    async def sandbox(self, change: Callable[[pb.PodSandboxConfig], object] = lambda _: None) -> AsyncIterator[Sandbox]:
        uid = str(uuid.uuid4())
        meta = pb.PodSandboxMetadata(name=f"conformance-{uid[:8]}", namespace="conformance", uid=uid)
        config = pb.PodSandboxConfig(metadata=meta, log_directory=str(self.folder / uid), labels={"spec": uid})
        await asyncio.to_thread(Path(config.log_directory).mkdir, parents=True)
        config.linux.cgroup_parent = f"/casemate-conformance/pod{uid}"
        change(config)
        made = Sandbox(await self.client.run_pod_sandbox(config, self.handler), config)
        try:
            yield made
        finally:
            await self.client.stop_pod_sandbox(made.id)
            await self.client.remove_pod_sandbox(made.id)

    async def create(self, where: Sandbox, command: Sequence[str] = SLEEP, name: str = "main", **more: Any) -> str:
        image = self.module or BUSYBOX
        if self.module and tuple(command) == SLEEP:
            command = (MODULE, "0" * CHALLENGE_LENGTH)
        config = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=name),
            image=pb.ImageSpec(image=image),
            command=command,
            log_path=f"{name}.log",
            **more,
        )
        return await self.client.create_container(where.id, config, where.config)

    async def start(self, where: Sandbox, command: Sequence[str] = SLEEP, name: str = "main", **more: Any) -> str:
        made = await self.create(where, command, name, **more)
        await self.client.start_container(made)
        return made

    async def state(self, container: str) -> int:
        return (await self.client.container_status(container)).state

    async def ended(self, container: str) -> pb.ContainerStatus:
        await until(lambda: self._has_ended(container))
        return await self.client.container_status(container)

    async def _has_ended(self, container: str) -> bool:
        return await self.state(container) == pb.CONTAINER_EXITED

    async def run(self, container: str, *command: str) -> ExecResult:
        return await self.client.exec_sync(container, command, 15)

    async def said(self, container: str, *command: str) -> str:
        done = await self.run(container, *command)
        assert done.exit_code == 0, f"{' '.join(command)}: {done.exit_code}, {done.stderr.decode()[:200]}"
        return done.stdout.decode()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await holds():  # noqa: ASYNC110 - another process makes it hold
            await asyncio.sleep(0.1)


def security(**fields: Any) -> dict[str, Any]:
    return {"linux": pb.LinuxContainerConfig(security_context=pb.LinuxContainerSecurityContext(**fields))}


async def refused(call: Awaitable[object]) -> None:
    try:
        await call
    except CasemateError:
        return
    raise AssertionError("it was accepted")


# ------------------------------------------------------------------------------------------- runtime, sandboxes


async def version(bench: Bench) -> None:
    found = await bench.client.version()
    assert found.version
    assert found.runtime_name
    assert found.runtime_version
    assert found.runtime_api_version


async def conditions(bench: Bench) -> None:
    found = {each.type: each.status for each in (await bench.client.status()).status.conditions}
    assert found["RuntimeReady"]
    assert found["NetworkReady"]


async def sandbox_runs(bench: Bench) -> None:
    async with bench.sandbox() as where:
        assert (await bench.client.pod_sandbox_status(where.id)).status.state == pb.SANDBOX_READY
        assert where.id in {each.id for each in await bench.client.pod_sandboxes()}


async def sandbox_stops(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await bench.client.stop_pod_sandbox(where.id)
        assert (await bench.client.pod_sandbox_status(where.id)).status.state == pb.SANDBOX_NOTREADY


async def sandbox_goes(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await bench.client.stop_pod_sandbox(where.id)
        await bench.client.remove_pod_sandbox(where.id)
        assert where.id not in {each.id for each in await bench.client.pod_sandboxes()}


async def stop_unknown_sandbox(bench: Bench) -> None:
    await bench.client.stop_pod_sandbox(uuid.uuid4().hex)


async def stop_stopped_sandbox(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await bench.client.stop_pod_sandbox(where.id)
        await bench.client.stop_pod_sandbox(where.id)


async def remove_unknown_sandbox(bench: Bench) -> None:
    await bench.client.remove_pod_sandbox(uuid.uuid4().hex)


async def stop_unknown_container(bench: Bench) -> None:
    await bench.client.stop_container(uuid.uuid4().hex, 0)


async def remove_unknown_container(bench: Bench) -> None:
    await bench.client.remove_container(uuid.uuid4().hex)


async def stop_stopped_container(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where)
        for _ in range(2):
            await bench.client.stop_container(made, 0)
        for _ in range(2):
            await bench.client.remove_container(made)


async def remove_unknown_image(bench: Bench) -> None:
    for _ in range(2):
        await bench.client.remove_image("0" * 64)


async def sysctl_safe(bench: Bench) -> None:
    await _sysctl(bench, "kernel.shm_rmid_forced", "1")


async def sysctl_unsafe(bench: Bench) -> None:
    await _sysctl(bench, "fs.mqueue.msg_max", "100")


async def _sysctl(bench: Bench, name: str, value: str) -> None:
    async with bench.sandbox(lambda config: config.linux.sysctls.update({name: value})) as where:
        made = await bench.start(where)
        assert (await bench.said(made, "cat", f"/proc/sys/{name.replace('.', '/')}")).strip() == value


# -------------------------------------------------------------------------------------------------- containers


async def container_is_made(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.create(where)
        assert made in {each.id for each in await bench.client.containers()}


async def container_starts(bench: Bench) -> None:
    async with bench.sandbox() as where:
        assert await bench.state(await bench.start(where)) == pb.CONTAINER_RUNNING


async def container_stops(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where)
        await bench.client.stop_container(made, 1)
        assert await bench.state(made) == pb.CONTAINER_EXITED


async def created_goes(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await _goes(bench, await bench.create(where))


async def running_goes(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await _goes(bench, await bench.start(where))


async def stopped_goes(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where)
        await bench.client.stop_container(made, 0)
        await _goes(bench, made)


async def _goes(bench: Bench, container: str) -> None:
    await bench.client.remove_container(container)
    assert container not in {each.id for each in await bench.client.containers()}


async def exec_answers(bench: Bench) -> None:
    async with bench.sandbox() as where:
        assert await bench.said(await bench.start(where), "echo", "hello") == "hello\n"


async def exec_times_out(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where)
        await refused(bench.client.exec_sync(made, ["sleep", "4321"], 1))
        assert "4321" not in await bench.said(made, "ps")


async def stats_of_one(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where)
        found = {each.attributes.id: each for each in await bench.client.container_stats()}[made]
        assert found.attributes.metadata.name == "main"
        assert found.cpu.timestamp
        assert found.memory.timestamp


async def stats_of_three(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = {await bench.start(where, name=f"main-{number}") for number in range(3)}
        assert made <= {each.attributes.id for each in await bench.client.container_stats()}


async def stats_by_label(bench: Bench) -> None:
    async with bench.sandbox() as where:
        label = {"stats": where.id[:12]}
        made = await bench.start(where, labels=label)
        assert made in {each.attributes.id for each in await bench.client.container_stats(label)}
        assert made not in {each.attributes.id for each in await bench.client.container_stats({"stats": "other"})}


async def volume(bench: Bench) -> None:
    await _volume(bench, link=False)


async def volume_by_link(bench: Bench) -> None:
    await _volume(bench, link=True)


async def _volume(bench: Bench, *, link: bool) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        await asyncio.to_thread(_lay_out, Path(folder))
        mount = pb.Mount(host_path=f"{folder}/{'link' if link else 'real'}", container_path="/mnt/volume")
        async with bench.sandbox() as where:
            made = await bench.start(where, mounts=[mount])
            assert "file" in await bench.said(made, "ls", "/mnt/volume")


def _lay_out(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "file").touch()
    (folder / "link").symlink_to(folder / "real")


async def log(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await bench.ended(await bench.start(where, ("echo", "hello World")))
        assert where.log() == "hello World\n"


async def log_reopens(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where, ("sh", "-c", "while true; do echo line; sleep 0.1; done"))
        await until(lambda: _true(where.log()))
        file = Path(where.config.log_directory) / "main.log"
        file.rename(file.with_suffix(".old"))
        await bench.client.reopen_container_log(made)
        await until(lambda: _true(where.log()))


async def _true(value: object) -> bool:
    return bool(value)


async def out_of_memory(bench: Bench) -> None:
    limit = 15 << 20
    resources = pb.LinuxContainerResources(memory_limit_in_bytes=limit, memory_swap_limit_in_bytes=limit)
    linux = pb.LinuxContainerConfig(resources=resources)
    async with bench.sandbox() as where:
        made = await bench.start(where, ("dd", "if=/dev/zero", "of=/dev/null", "bs=20M"), linux=linux)
        await bench.ended(made)
        # Why it ended is told by an event of its own, which may come later.
        await until(lambda: _told_of_memory(bench, made))


async def _told_of_memory(bench: Bench, container: str) -> bool:
    found = await bench.client.container_status(container)
    return (found.exit_code, found.reason) == (137, "OOMKilled")


async def shared_log_and_exec(bench: Bench) -> None:
    async with bench.sandbox() as where:
        first = await bench.start(where, ("sh", "-c", "echo first; sleep 1000"), "first")
        second = await bench.start(where, ("sh", "-c", "echo second; sleep 1000"), "second")
        await until(lambda: _true(where.log("first") == "first\n" and where.log("second") == "second\n"))
        assert await bench.said(first, "echo", "1") == "1\n"
        assert await bench.said(second, "echo", "2") == "2\n"


# ---------------------------------------------------------------------------------------------------- security


async def pid_of_pod(bench: Bench) -> None:
    assert "sleep" not in await _first_process(bench, pb.POD)


async def pid_of_container(bench: Bench) -> None:
    assert "sleep" in await _first_process(bench, pb.CONTAINER)


async def _first_process(bench: Bench, mode: int) -> str:
    options = pb.NamespaceOption(pid=mode)

    def change(config: pb.PodSandboxConfig) -> None:
        config.linux.security_context.namespace_options.CopyFrom(options)

    async with bench.sandbox(change) as where:
        made = await bench.start(where, **security(namespace_options=options))
        return await bench.said(made, "cat", "/proc/1/cmdline")


async def host_pid(bench: Bench) -> None:
    options = pb.NamespaceOption(pid=pb.NODE)

    def change(config: pb.PodSandboxConfig) -> None:
        config.linux.security_context.namespace_options.CopyFrom(options)

    async with bench.sandbox(change) as where:
        made = await bench.start(where, **security(namespace_options=options))
        assert (await bench.said(made, "ls", "-d", f"/proc/{os.getpid()}")).strip()


async def host_network(bench: Bench) -> None:
    assert await _hears_node(bench, pb.NODE)


async def pod_network(bench: Bench) -> None:
    assert not await _hears_node(bench, pb.POD)


async def _hears_node(bench: Bench, mode: int) -> bool:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    options = pb.NamespaceOption(network=mode)

    def change(config: pb.PodSandboxConfig) -> None:
        config.linux.security_context.namespace_options.CopyFrom(options)

    async with server, bench.sandbox(change) as where:
        made = await bench.start(where, **security(namespace_options=options))
        return f":{port} " in await bench.said(made, "netstat", "-ltn")


async def groups(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(supplemental_groups=[1234, 5678]))
        assert {"1234", "5678"} <= set((await bench.said(made, "id", "-G")).split())


async def user(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(run_as_user=pb.Int64Value(value=1001)))
        assert await bench.said(made, "id", "-u") == "1001\n"


async def group(bench: Bench) -> None:
    fields = security(run_as_user=pb.Int64Value(value=1001), run_as_group=pb.Int64Value(value=1002))
    async with bench.sandbox() as where:
        made = await bench.start(where, **fields)
        assert await bench.said(made, "sh", "-c", "echo $(id -u):$(id -g)") == "1001:1002\n"


async def group_without_user(bench: Bench) -> None:
    async with bench.sandbox() as where:
        await refused(bench.create(where, **security(run_as_group=pb.Int64Value(value=1002))))


async def root_writable(bench: Bench) -> None:
    async with bench.sandbox() as where:
        assert (await bench.run(await bench.start(where), "touch", "/file")).exit_code == 0


async def root_read_only(bench: Bench) -> None:
    async with bench.sandbox() as where:
        done = await bench.run(await bench.start(where, **security(readonly_rootfs=True)), "touch", "/file")
        assert b"Read-only file system" in done.stderr


async def privileged(bench: Bench) -> None:
    def change(config: pb.PodSandboxConfig) -> None:
        config.linux.security_context.privileged = True

    async with bench.sandbox(change) as where:
        await bench.said(
            await bench.start(where, **security(privileged=True)), "ip", "link", "set", "lo", "mtu", "1400"
        )


async def unprivileged(bench: Bench) -> None:
    async with bench.sandbox() as where:
        done = await bench.run(await bench.start(where), "ip", "link", "set", "lo", "mtu", "1400")
        assert done.exit_code


async def capability_added(bench: Bench) -> None:
    await unprivileged(bench)
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(capabilities=pb.Capability(add_capabilities=["NET_ADMIN"])))
        await bench.said(made, "ip", "link", "set", "lo", "mtu", "1400")


async def capability_dropped(bench: Bench) -> None:
    assert not await _bounding(bench, drop_capabilities=["NET_RAW"]) & 1 << 13


async def all_capabilities_added(bench: Bench) -> None:
    assert await _bounding(bench, add_capabilities=["ALL"])


async def all_capabilities_dropped(bench: Bench) -> None:
    assert not await _bounding(bench, drop_capabilities=["ALL"])


async def _bounding(bench: Bench, **fields: Sequence[str]) -> int:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(capabilities=pb.Capability(**fields)))
        return int(_status(await bench.said(made, "cat", "/proc/self/status"), "CapBnd"), 16)


def _status(text: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(\S+)$", text, re.MULTILINE)
    assert found, f"/proc/self/status has no {name}"
    return found[1]


async def masked(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(masked_paths=["/proc/uptime"]))
        assert not (await bench.run(made, "cat", "/proc/uptime")).stdout


async def read_only_path(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(readonly_paths=["/bin"]))
        assert b"Read-only file system" in (await bench.run(made, "touch", "/bin/file")).stderr


async def seccomp_unconfined(bench: Bench) -> None:
    assert await _seccomp(bench, pb.SecurityProfile(profile_type=pb.SecurityProfile.Unconfined)) == "0"


async def seccomp_default(bench: Bench) -> None:
    assert await _seccomp(bench, pb.SecurityProfile()) == "2"


async def seccomp_nil(bench: Bench) -> None:
    assert await _seccomp(bench, None) == "0"


async def _seccomp(bench: Bench, profile: pb.SecurityProfile | None) -> str:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(seccomp=profile))
        return _status(await bench.said(made, "cat", "/proc/self/status"), "Seccomp")


async def seccomp_localhost(bench: Bench) -> None:
    done = await _blocked(bench, ["chmod", "fchmodat", "fchmodat2"], ("chmod", "400", "/"))
    assert b"Operation not permitted" in done.stderr


async def hostname_allowed(bench: Bench) -> None:
    profile = pb.SecurityProfile(profile_type=pb.SecurityProfile.Unconfined)
    more = pb.Capability(add_capabilities=["SYS_ADMIN"])
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(seccomp=profile, capabilities=more))
        await bench.said(made, "hostname", "another")


async def hostname_blocked(bench: Bench) -> None:
    more = pb.Capability(add_capabilities=["SYS_ADMIN"])
    assert (await _blocked(bench, ["sethostname"], ("hostname", "another"), capabilities=more)).exit_code


async def _blocked(bench: Bench, names: Sequence[str], command: Sequence[str], **more: Any) -> ExecResult:
    with tempfile.NamedTemporaryFile("w", dir=bench.folder, suffix=".json") as file:
        rule = {"names": names, "action": "SCMP_ACT_ERRNO"}
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}, file)
        file.flush()
        profile = pb.SecurityProfile(profile_type=pb.SecurityProfile.Localhost, localhost_ref=file.name)
        async with bench.sandbox() as where:
            made = await bench.start(where, **security(seccomp=profile, **more))
            return await bench.run(made, *command)


async def no_new_privileges(bench: Bench) -> None:
    assert await _no_new_privileges(bench, on=True) == "1"


async def new_privileges(bench: Bench) -> None:
    assert await _no_new_privileges(bench, on=False) == "0"


async def _no_new_privileges(bench: Bench, *, on: bool) -> str:
    async with bench.sandbox() as where:
        made = await bench.start(where, **security(no_new_privs=on, run_as_user=pb.Int64Value(value=1000)))
        return _status(await bench.said(made, "cat", "/proc/self/status"), "NoNewPrivs")


# ---------------------------------------------------------------------------------- network, streams and images


async def dns(bench: Bench) -> None:
    config = pb.DNSConfig(servers=["10.10.10.10"], searches=["spec.test"], options=["ndots:8"])
    async with bench.sandbox(lambda made: made.dns_config.CopyFrom(config)) as where:
        found = await bench.said(await bench.start(where), "cat", "/etc/resolv.conf")
        assert {"nameserver 10.10.10.10", "search spec.test", "options ndots:8"} <= set(found.splitlines())


async def hostname(bench: Bench) -> None:
    async with bench.sandbox(lambda made: setattr(made, "hostname", "test-hostname")) as where:
        assert await bench.said(await bench.start(where), "hostname") == "test-hostname\n"


async def container_port(bench: Bench) -> None:
    async with bench.sandbox() as where:
        serve = "mkdir -p /srv; echo served > /srv/index.html; httpd -f -p 8080 -h /srv"
        await bench.start(where, ("sh", "-c", serve))
        address = (await bench.client.pod_sandbox_status(where.id)).status.network.ip
        await until(lambda: _served(f"http://{address}:8080"))


async def _served(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        try:
            return (await client.get(url)).text == "served\n"
        except httpx.HTTPError:
            return False


async def exec_streams(bench: Bench) -> None:
    await _exec(bench, tty=False)


async def exec_terminal(bench: Bench) -> None:
    await _exec(bench, tty=True)


async def _exec(bench: Bench, *, tty: bool) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where)
        url = await bench.client.exec_url(made, ["echo", "hello"], stdin=tty, tty=tty)
        async with stream.connect(url, stdin=tty, tty=tty) as session:
            said = b"".join([each.data async for each in session.output()])
        assert said.strip() == b"hello"


async def attach(bench: Bench) -> None:
    async with bench.sandbox() as where:
        made = await bench.start(where, ("sh",), stdin=True, stdin_once=True)
        url = await bench.client.attach_url(made, stdin=True, tty=False)
        async with stream.connect(url, stdin=True, tty=False) as session:
            await session.send(b"echo hello\n")
            async with asyncio.timeout(SECONDS):
                async for each in session.output():
                    assert each.data == b"hello\n"
                    break


async def image_references(bench: Bench) -> None:
    found = await bench.client.image_status(BUSYBOX)
    assert found
    for name in (found.id, *found.repo_tags, *found.repo_digests):
        assert await bench.client.image_status(name) == found


async def image_is_listed(bench: Bench) -> None:
    assert BUSYBOX in {tag for each in await bench.client.images() for tag in each.repo_tags}
