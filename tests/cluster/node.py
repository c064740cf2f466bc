"""A real Kubernetes node: kubelet, controller manager and scheduler on an engine's containerd.

`python tests/cluster/node.py up | down` keeps one for a developer (`make cluster`, `make cluster-down`).

1. The engine gives containerd with all handlers, CNI and a mount namespace; kubelet runs inside that namespace and
   drives the same CRI socket. The engine's supervisor has no runs there, and touches nothing of kubelet's.
2. RuntimeClasses are made for the handlers that the engine tried; class and handler have the same name but for
   `gvisor` (runsc) and `wasm`.
3. One at a time on a machine: kubelets share its cgroups, and each ends what it finds there that is not its own.
4. On a host without CAP_SYS_RESOURCE or with hybrid cgroups kubelet is told so (facts: cgroupfs, failCgroupV1 off).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import kubernetes
import yaml
from apiserver import Cluster, Running, free_port

from casemate.engine import known_handlers, lifecycle
from casemate.engine.containerd import namespace
from casemate.engine.paths import EnginePaths

NAME: Final = "node-1"
CLASSES: Final = {"gvisor": "runsc"}
FLAGS: Final = (
    "--authorization-mode=Node",
    "--disable-admission-plugins=ServiceAccount",
    "--kubelet-preferred-address-types=InternalIP",
    "--allow-privileged=true",
)
_READY_SECONDS = 90.0
_LOCK: Final = Path("/run/casemate-cluster.lock")
_KEPT: Final = Path("/run/casemate-cluster.json")


@dataclass(frozen=True)
class Node:
    """A cluster with one node, and the engine whose containerd that node uses."""

    cluster: Cluster
    engine: EnginePaths

    @property
    def socket(self) -> str:
        return str(self.engine.socket)

    def manifests(self) -> Path:
        """kubelet's static Pods."""
        return self.cluster.folder / "manifests"


class RunningNode:
    """Starts everything and ends it."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._engine = EnginePaths(engine)
        self._folder = folder
        self._api = Running(folder, *FLAGS)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._alone = _LOCK.open("w")

    def __enter__(self) -> Node:
        try:
            self._lock()
            lifecycle.start(self._engine)
            node = Node(self._api.__enter__(), self._engine)
            _classes(node)
            self._start("kube-controller-manager", *_manager(node))
            self._start("kube-scheduler", *_scheduler(node))
            (self._folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet_config(node)))
            node.manifests().mkdir()
            self._start("kubelet", *_kubelet(node))
            _await_ready(node)
        except BaseException:
            self.__exit__()
            raise
        return node

    def _lock(self) -> None:
        try:
            fcntl.flock(self._alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AssertionError("another node runs on this machine: make cluster-down") from None

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            _end(process)
        self._api.__exit__()
        lifecycle.stop(self._engine)
        self._alone.close()

    def restart_kubelet(self, node: Node) -> None:
        """End kubelet, and start it as it was; its Pods run on."""
        _end(self._processes.pop())
        self._start("kubelet", *_kubelet(node))

    def _start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _classes(node: Node) -> None:
    classes = [each.name for each in known_handlers.load(node.engine)]
    named = {handler: name for name, handler in CLASSES.items()}
    for handler in classes:
        name = named.get(handler, handler)
        body = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}
        node.cluster.apply("/apis/node.k8s.io/v1/runtimeclasses", body)


def _manager(node: Node) -> tuple[str, ...]:
    return (
        str(kubernetes.binary("kube-controller-manager")),
        f"--kubeconfig={node.cluster.kubeconfig('admin')}",
        "--bind-address=127.0.0.1",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
        f"--service-account-private-key-file={node.cluster.folder}/accounts.key",
        f"--root-ca-file={node.cluster.ca}",
        "--controllers=*,-cloud-node-lifecycle-controller",
    )


def _scheduler(node: Node) -> tuple[str, ...]:
    return (
        str(kubernetes.binary("kube-scheduler")),
        f"--kubeconfig={node.cluster.kubeconfig('admin')}",
        "--secure-port=0",
        "--leader-elect=false",
    )


def _kubelet(node: Node) -> list[str]:
    folder = node.cluster.folder
    return namespace.command(
        node.engine,
        str(kubernetes.binary("kubelet")),
        f"--config={folder}/kubelet.yaml",
        f"--kubeconfig={node.cluster.kubeconfig('admin')}",
        f"--root-dir={node.engine.root}/kubelet",
        f"--hostname-override={NAME}",
        f"--cert-dir={folder}/kubelet-certificates",
    )


def _kubelet_config(node: Node) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "staticPodPath": str(node.manifests()),
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "1Mi"},
        "address": "127.0.0.1",
        "port": free_port(),
        "healthzPort": 0,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "volumePluginDir": f"{node.engine.root}/kubelet/volumeplugins",
        "podLogsDir": f"{node.engine.root}/kubelet/logs",
        "fileCheckFrequency": "1s",
        "syncFrequency": "10s",
        "oomScoreAdj": 0,
    }


def _await_ready(node: Node) -> None:
    ends = time.monotonic() + _READY_SECONDS
    with node.cluster.client() as client:
        while time.monotonic() < ends:
            answer = client.get(f"/api/v1/nodes/{NAME}")
            if answer.is_success and _is_ready(answer.json()):
                return
            time.sleep(0.5)
    raise AssertionError((node.cluster.folder / "kubelet.log").read_text()[-5000:])


def _is_ready(found: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    conditions = found["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def up() -> None:
    """Start a cluster and keep it until `down`."""
    kubernetes.build_all()
    if _KEPT.exists():
        sys.exit(f"a cluster runs already: {_KEPT.read_text()}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = Path(tempfile.mkdtemp(prefix="casemate-cluster-"))
    with RunningNode(folder, "cluster") as node:
        kept = {"pid": os.getpid(), "kubeconfig": node.cluster.kubeconfig("admin"), "socket": node.socket}
        _KEPT.write_text(json.dumps(kept))
        print(f"export KUBECONFIG={kept['kubeconfig']}", flush=True)
        signal.pause()


def down() -> None:
    """End the cluster that `up` keeps."""
    if not _KEPT.exists():
        sys.exit("no cluster runs here")
    pid = json.loads(_KEPT.read_text())["pid"]
    _KEPT.unlink()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.2)


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1]]()
