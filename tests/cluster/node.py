"""A real Kubernetes node: kubelet, kube-proxy, controller manager and scheduler on an engine's containerd.

`python tests/cluster/node.py up | down` keeps one for a developer (`make cluster`, `make cluster-down`).

1. The engine gives containerd with all handlers, CNI and a mount namespace; kubelet runs inside that namespace and
   drives the same CRI socket. The engine's supervisor has no runs there, and touches nothing of kubelet's.
2. RuntimeClasses are made for the handlers that the engine tried; class and handler have the same name but for
   `gvisor` (runsc) and `wasm`.
3. One at a time on a machine: kubelets share its cgroups, and each ends what it finds there that is not its own.
4. API server and kubelet listen on the host's end of the engine's link to its router, which Pods reach too; so the
   administrator's token is another each time. ClusterIPs are the engine's Service addresses, which the host routes to
   the router: kube-proxy works in that network namespace, and the host has no rule of Kubernetes. There are no
   NodePorts.
5. On a host without CAP_SYS_RESOURCE or with hybrid cgroups kubelet is told so (facts: cgroupfs, failCgroupV1 off).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
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
from casemate.engine.network.plan import NetworkPlan
from casemate.engine.network.router import Link
from casemate.engine.paths import EnginePaths

NAME: Final = "node-1"
CLASSES: Final = {"gvisor": "runsc"}
_READY_SECONDS = 90.0
_LOCK: Final = Path("/run/casemate-cluster.lock")
_KEPT: Final = Path("/run/casemate-cluster.json")


@dataclass(frozen=True)
class Node:
    """A cluster with one node, and the engine whose containerd that node uses."""

    cluster: Cluster
    engine: EnginePaths
    network: NetworkPlan

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
        self._api: Running | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._alone = _LOCK.open("w")

    def __enter__(self) -> Node:
        self._lock()
        try:
            network = NetworkPlan.of(lifecycle.start(self._engine))
            _client_of_kubelet(self._folder)
            address, admin = str(network.host_address), secrets.token_hex(16)
            self._api = Running(self._folder, *_api_server(self._folder, network), address=address, admin=admin)
            node = Node(self._api.__enter__(), self._engine, network)
            _classes(node)
            self._start("kube-controller-manager", *_manager(node))
            self._start("kube-scheduler", *_scheduler(node))
            (self._folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet_config(node)))
            node.manifests().mkdir()
            self._start("kubelet", *_kubelet(node))
            (self._folder / "kube-proxy.yaml").write_text(yaml.safe_dump(_proxy_config(node)))
            _forbid_redirects(node)
            self._start("kube-proxy", *_proxy(node))
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
        for process in reversed(self._processes.values()):
            _end(process)
        if self._api:
            self._api.__exit__()
        lifecycle.stop(self._engine)
        self._alone.close()

    def restart_kubelet(self, node: Node) -> None:
        """End kubelet, and start it as it was; its Pods run on."""
        _end(self._processes["kubelet"])
        self._start("kubelet", *_kubelet(node))

    def _start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)


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


def _client_of_kubelet(folder: Path) -> None:
    """What the API server shows kubelet, for logs and exec: a certificate that is its own CA."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout kubelet-client.key -out kubelet-client.crt"
    subject = ["-subj", "/O=system:masters/CN=kube-apiserver"]
    subprocess.run([*command.split(), *subject], cwd=folder, check=True, capture_output=True)


def _api_server(folder: Path, network: NetworkPlan) -> tuple[str, ...]:
    return (
        f"--service-cluster-ip-range={network.service_network}",
        "--authorization-mode=Node",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={folder}/kubelet-client.crt",
        f"--kubelet-client-key={folder}/kubelet-client.key",
        "--allow-privileged=true",
    )


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
        f"--node-ip={node.network.host_address}",
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
        "address": str(node.network.host_address),
        "port": free_port(),
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{node.cluster.folder}/kubelet-client.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "volumePluginDir": f"{node.engine.root}/kubelet/volumeplugins",
        "podLogsDir": f"{node.engine.root}/kubelet/logs",
        "fileCheckFrequency": "1s",
        "syncFrequency": "10s",
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
    }


def _forbid_redirects(node: Node) -> None:
    """Redirects would use up the limit of ICMP: a Service without endpoints would time out, and not refuse."""
    script = "for each in all eth0; do echo 0 > /proc/sys/net/ipv4/conf/$each/send_redirects; done"
    subprocess.run(_in_router(node, "sh", "-ec", script), check=True)


def _in_router(node: Node, *command: str) -> list[str]:
    return namespace.command(node.engine, "ip", "netns", "exec", Link.of(node.engine.name).namespace, *command)


def _proxy(node: Node) -> list[str]:
    config = node.cluster.folder / "kube-proxy.yaml"
    return _in_router(node, str(kubernetes.binary("kube-proxy")), f"--config={config}")


def _proxy_config(node: Node) -> dict[str, object]:
    """Masquerading, so that answers come back through the router; and limits of conntrack left as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "nftables": {"masqueradeAll": True},
        "hostnameOverride": NAME,
        "clientConnection": {"kubeconfig": node.cluster.kubeconfig("admin")},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _await_ready(node: Node) -> None:
    """Wait for the node, for its Services, and for the account without which no Pod is accepted."""
    ends = time.monotonic() + _READY_SECONDS
    with node.cluster.client() as client:
        while time.monotonic() < ends:
            found = client.get(f"/api/v1/nodes/{NAME}")
            account = client.get("/api/v1/namespaces/default/serviceaccounts/default")
            if found.is_success and account.is_success and _is_ready(found.json()) and _is_served(node):
                return
            time.sleep(0.5)
    logs = (node.cluster.folder / f"{each}.log" for each in ("kubelet", "kube-proxy"))
    raise AssertionError("\n".join(each.read_text()[-5000:] for each in logs))


def _is_served(node: Node) -> bool:
    """Whether the API server answers at its ClusterIP."""
    with suppress(OSError), socket.create_connection((str(node.network.service_network[1]), 443), 1):
        return True
    return False


def _is_ready(found: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    conditions = found["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def up() -> None:
    """Start a cluster and keep it until `down`."""
    kubernetes.build_all()
    if _KEPT.exists():
        sys.exit(f"a cluster runs already: {_KEPT.read_text()}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        tempfile.TemporaryDirectory(prefix="casemate-cluster-") as folder,
        RunningNode(Path(folder), "cluster") as node,
    ):
        kept = {"pid": os.getpid(), "kubeconfig": node.cluster.kubeconfig("admin"), "socket": node.socket}
        _KEPT.write_text(json.dumps(kept))
        print(f"export KUBECONFIG={kept['kubeconfig']} PATH={kubernetes.FOLDER}:$PATH", flush=True)
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
