"""A CRI-O of these tests' own, started by hand as on a node without systemd, with Pods that run on it.

1. Nothing of it lies outside of its folder but Pods' addresses: own storage, sockets, namespaces, CNI state.
2. It sees a hybrid host as one of cgroup v1 alone, and an `/etc/containers` of its own: it pulls from a registry of
   these tests on the loopback without TLS.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import crio
from busybox import busybox
from recipes import PLAIN

from casemate.engine import cgroup
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.images import build, layout
from casemate.images.reference import parse
from casemate.node import daemon
from casemate.node.daemon import Where
from casemate.node.journal import Store
from casemate.prove import tasks

_PODS = "crio-test"
_CNI = """{"cniVersion": "0.4.0", "name": "casemate-crio-test", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {
 "type": "host-local", "dataDir": "%s", "ranges": [[{"subnet": "10.214.0.0/16"}]]}}]}"""
_CONFIG = """# The node's own configuration: its comments and   spaces stay.
[crio]
root = "{folder}/root"
runroot = "{folder}/run"
storage_driver = "overlay"
log_dir = "{folder}/logs"
version_file = "{folder}/version"
clean_shutdown_file = "{folder}/clean"

[crio.api]
listen = "{folder}/c.sock"   # short: the kernel allows 107 bytes

[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
pinns_path = "{programs}/pinns"
namespaces_dir = "{folder}/ns"
container_exits_dir = "{folder}/exits"
container_attach_socket_dir = "{folder}/attach"
hooks_dir = []
default_runtime = "runc"

[crio.image]
pause_image = "{pause}"
pause_command = ""
signature_policy = "{folder}/policy.json"

[crio.network]
network_dir = "{folder}/cni"
plugin_dirs = ["/usr/lib/cni"]

[crio.nri]
enable_nri = false
"""
_DROP_IN = """# As packages of CRI-O ship it.
[crio.runtime.runtimes.runc]
runtime_path = "/usr/sbin/runc"
monitor_path = "/usr/bin/conmon"
"""
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


@dataclass
class CrioNode:
    """A node: its folder, and the image of its sandboxes."""

    folder: Path
    pause: str

    @property
    def socket(self) -> str:
        return str(self.folder / "c.sock")

    @property
    def config(self) -> Path:
        return self.folder / "crio.conf"

    @property
    def drop_ins(self) -> Path:
        return self.folder / "crio.conf.d"

    @property
    def where(self) -> Where:
        return Where(socket=self.socket)

    @property
    def pid(self) -> int:
        return daemon.listener(self.socket)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """The configuration as it lies there: bytes and mode by path."""
        found = [self.config, *sorted(self.drop_ins.glob("*"))]
        return {str(each): (each.read_bytes(), each.stat().st_mode) for each in found}

    def write(self) -> None:
        """The first configuration."""
        for name in ("cni", "crio.conf.d", "bin", "containers"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "cni" / "10-test.conflist").write_text(_CNI % (self.folder / "ipam"))
        (self.folder / "policy.json").write_text(_POLICY)
        registry = self.pause.partition("/")[0]
        (self.folder / "containers" / "registries.conf").write_text(
            f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n'
        )
        text = _CONFIG.format(folder=self.folder, programs=crio.build(), pause=self.pause)
        self.config.write_text(text)
        self.config.chmod(0o640)
        (self.drop_ins / "10-crio.conf").write_text(_DROP_IN)
        shutil.copy("/usr/sbin/runc", self.folder / "bin" / "youki")  # a second handler of runc's kind

    def start(self) -> None:
        """Start CRI-O as an administrator would by hand, in a mount namespace of its own (rule 2)."""
        path = f"{self.folder}/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        script = (
            "umount /sys/fs/cgroup/unified 2>/dev/null; mount --bind $0/containers /etc/containers; "
            'exec "$1" --config $0/crio.conf --config-dir $0/crio.conf.d'
        )
        with (self.folder / "log").open("ab") as log:
            child = subprocess.Popen(
                [
                    "unshare",
                    "--mount",
                    "--propagation",
                    "slave",
                    "sh",
                    "-c",
                    script,
                    self.folder,
                    crio.build() / "crio",
                ],
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
        from casemate.node.restart import _unready

        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            if self.pid and not asyncio.run(_unready(self.socket)):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def run_pod(self, handler: str = "", annotations: dict[str, str] | None = None) -> str:
        """Start a Pod with one container, as a kubelet asks for it; the container's id."""
        return asyncio.run(_run_pod(self, handler, annotations or {}))

    def running(self) -> set[str]:
        """Ids of the containers that run."""
        return asyncio.run(_running(self.socket))

    def remove_pods(self) -> None:
        """Remove all Pods."""
        asyncio.run(_remove_pods(self.socket))


@contextmanager
def node(folder: Path) -> Iterator[CrioNode]:
    """A running node. Nothing of it stays."""
    folder.mkdir(parents=True)
    with _registry(folder) as image:
        made = CrioNode(folder, image)
        made.write()
        try:
            made.start()
            yield made
            made.remove_pods()
        finally:
            stop(made)
            cgroup.remove_engine(_PODS)
            for proofs in cgroup.ROOT.glob("*/casemate/node"):
                with suppress(OSError):  # others may be proving on a runtime of theirs
                    proofs.rmdir()
            journal = Store(str(made.config))
            shutil.rmtree(journal.folder, ignore_errors=True)
            journal.folder.with_suffix(".lock").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


def stop(made: CrioNode) -> None:
    """End the node's CRI-O, which still writes to its folder when nobody listens any more."""
    pid = made.pid
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    ends = time.monotonic() + 15
    while not tasks.ended(pid) and time.monotonic() < ends:
        time.sleep(0.05)


@contextmanager
def _registry(folder: Path) -> Iterator[str]:
    """A registry that has the image of sandboxes, and nothing else; yields its name."""
    file = folder / "pause.tar"
    wait = "trap exit TERM; sleep 2147483647 & wait"
    settings = build.Settings(entrypoint=("sh", "-c", wait), environment=PLAIN.environment)
    build.write(file, parse("casemate.local/pause:1"), busybox(), settings)
    image = layout.read(file)
    blobs = {image.id: image.documents.config}
    for layer, stream in image.open_layers():
        blobs[layer.digest] = stream.read(layer.size)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(image, blobs))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}/pause:1"
    finally:
        server.shutdown()
        server.server_close()


def _answering(image: layout.Image, blobs: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        """OCI's distribution protocol as far as a pull needs it."""

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            if "/manifests/" in self.path:
                self.answer(image.documents.manifest, image.documents.media_type)
            else:
                self.answer(blobs.get(name, b"{}"), "application/octet-stream")

        def do_HEAD(self) -> None:
            self.do_GET()

        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body).hexdigest()}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Answering


async def _run_pod(made: CrioNode, handler: str, annotations: dict[str, str]) -> str:
    async with CriClient(made.socket) as client:
        uid = str(uuid.uuid4())
        config = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name=f"pod-{uid[:8]}", namespace="test", uid=uid),
            log_directory=str(made.folder / "logs" / uid),
            annotations=annotations,
        )
        config.linux.cgroup_parent = cgroup.pod_cgroup_path(_PODS, uid)
        config.linux.security_context.namespace_options.pid = pb.CONTAINER
        await asyncio.to_thread(Path(config.log_directory).mkdir, parents=True)
        sandbox = await client.run_pod_sandbox(config, handler)
        container = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name="main"),
            image=pb.ImageSpec(image=made.pause, user_specified_image=made.pause),
            log_path="main.log",
        )
        container.linux.security_context.namespace_options.pid = pb.CONTAINER
        made_id = await client.create_container(sandbox, container, config)
        await client.start_container(made_id)
        return made_id


async def _running(socket: str) -> set[str]:
    async with CriClient(socket) as client:
        return {each.id for each in await client.containers() if each.state == pb.CONTAINER_RUNNING}


async def _remove_pods(socket: str) -> None:
    async with CriClient(socket) as client:
        for each in await client.pod_sandboxes():
            await client.end_pod_sandbox(each.id)
