"""A containerd of these tests' own, started by hand as on a node without systemd, with Pods that run on it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import containerd2
from busybox import busybox
from recipes import PLAIN

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.images import build, layout, store
from casemate.images.reference import parse
from casemate.node import daemon
from casemate.node.daemon import Where
from casemate.node.journal import Store

PAUSE = "casemate.local/pause:1"
_CNI = """{"cniVersion": "0.4.0", "name": "casemate-node-test", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {
 "type": "host-local", "dataDir": "%s", "ranges": [[{"subnet": "10.213.0.0/16"}]]}}]}"""
_VERSION_2 = """# The node's own configuration: its comments and   spaces stay.
version = 2
root = "{folder}/root"
state = "{folder}/state"

[grpc]
  address = "{folder}/c.sock"   # short: the kernel allows 107 bytes
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "casemate.local/pause:1"
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""
_VERSION_3 = """# The node's own configuration.
version = {version}
imports = ["{folder}/conf.d/*.toml"]
root = "{folder}/root"
state = "{folder}/state"
{server}
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "casemate.local/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
_SERVERS = {
    3: '[grpc]\n  address = "{folder}/c.sock"',
    4: '[plugins."io.containerd.server.v1.grpc"]\n  address = "{folder}/c.sock"\n'
    '[plugins."io.containerd.server.v1.ttrpc"]\n  address = "{folder}/t.sock"',
}


@dataclass
class Node:
    """A node: its folder, and where its programs lie."""

    folder: Path
    version: int
    programs: str = ""
    started: list[int] = field(default_factory=list)

    @property
    def socket(self) -> str:
        return str(self.folder / "c.sock")

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def where(self) -> Where:
        return Where(socket=self.socket)

    @property
    def pid(self) -> int:
        return daemon.listener(self.socket)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """The configuration as it lies there: bytes and mode by path."""
        found = [self.config, *sorted((self.folder / "conf.d").glob("*"))]
        return {str(each): (each.read_bytes(), each.stat().st_mode) for each in found}

    def write(self) -> None:
        """The first configuration."""
        (self.folder / "cni").mkdir(parents=True)
        (self.folder / "cni" / "10-test.conflist").write_text(_CNI % (self.folder / "ipam"))
        server = _SERVERS.get(self.version, "").format(folder=self.folder)
        text = _VERSION_2 if self.version == 2 else _VERSION_3
        self.config.write_text(text.format(folder=self.folder, version=self.version, server=server))
        self.config.chmod(0o640)
        self._stand_in()

    def _stand_in(self) -> None:
        """A second handler of runc's kind on the node's PATH: a copy of runc by another name."""
        (self.folder / "bin").mkdir()
        shutil.copy(Path(self.programs, "runc") if self.programs else "/usr/sbin/runc", self.folder / "bin" / "youki")

    def start(self) -> None:
        """Start containerd as an administrator would by hand, where cgroup2 of a hybrid host is hidden."""
        path = ":".join(each for each in (self.programs, str(self.folder / "bin"), os.environ["PATH"]) if each)
        hide = "umount /sys/fs/cgroup/unified 2>/dev/null; exec containerd --config " + str(self.config)
        with (self.folder / "log").open("ab") as log:
            child = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "slave", "sh", "-c", hide],
                env={"PATH": path},
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        child.returncode = 0
        self.wait()

    def wait(self) -> None:
        """Until CRI answers."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            if self.pid and self.is_ready():
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def is_ready(self) -> bool:
        from casemate.node.restart import _unready

        return not asyncio.run(_unready(self.socket))

    def bring_in(self, name: str) -> None:
        """Make the sandbox image and store it."""
        file = self.folder / "pause.tar"
        settings = build.Settings(command=("sleep", "2147483647"), environment=PLAIN.environment)
        build.write(file, parse(name), busybox(), settings)
        store.add(layout.read(file), parse(name), self.socket)

    def run_pod(self, handler: str = "") -> str:
        """Start a Pod with one container; the container's id."""
        return asyncio.run(_run_pod(self.socket, handler))

    def running(self) -> set[str]:
        """Ids of the containers that run."""
        return asyncio.run(_running(self.socket))

    def remove_pods(self) -> None:
        """Remove all Pods."""
        asyncio.run(_remove_pods(self.socket))


@contextmanager
def node(folder: Path, version: int) -> Iterator[Node]:
    """A running node whose configuration has that schema version. Nothing of it stays."""
    made = Node(folder, version, "" if version == 2 else str(containerd2.build()))
    folder.mkdir(parents=True, exist_ok=True)
    made.write()
    try:
        made.start()
        made.bring_in(PAUSE)
        yield made
        made.remove_pods()
    finally:
        stop(made)
        store_folder = Store(str(made.config))
        shutil.rmtree(store_folder.folder, ignore_errors=True)
        store_folder.folder.with_suffix(".lock").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def stop(made: Node) -> None:
    """End the node's containerd."""
    pid = made.pid
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    ends = time.monotonic() + 15
    while made.pid == pid and time.monotonic() < ends:
        time.sleep(0.05)


async def _run_pod(socket: str, handler: str) -> str:
    async with CriClient(socket) as client:
        uid = str(uuid.uuid4())
        config = pb.PodSandboxConfig(metadata=pb.PodSandboxMetadata(name=f"pod-{uid[:8]}", namespace="test", uid=uid))
        sandbox = await client.run_pod_sandbox(config, handler)
        container = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name="main"), image=pb.ImageSpec(image=PAUSE), log_path="main.log"
        )
        made = await client.create_container(sandbox, container, config)
        await client.start_container(made)
        return made


async def _running(socket: str) -> set[str]:
    async with CriClient(socket) as client:
        return {each.id for each in await client.containers() if each.state == 1}


async def _remove_pods(socket: str) -> None:
    async with CriClient(socket) as client:
        for each in await client.pod_sandboxes():
            await client.stop_pod_sandbox(each.id)
            await client.remove_pod_sandbox(each.id)
