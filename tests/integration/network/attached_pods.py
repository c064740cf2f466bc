"""Namespaces that the engine's CNI configuration really attaches, with a server in each: Pods without a container."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from casemate.engine.network import cni
from casemate.engine.network.plan import NetworkPlan
from casemate.engine.network.services import PodState
from casemate.engine.paths import EnginePaths
from casemate.model.kube.container import ContainerPort
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import Service, ServicePort, ServiceSpec

_T = TypeVar("_T")
_CNI = Path("/usr/lib/cni")

# Answers every TCP connection and datagram with its own name and the address that it saw.
_SERVER = """
import socketserver, sys, threading
name = sys.argv[1].encode()
class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(100)
        self.request.sendall(name + b" " + self.client_address[0].encode())
class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(name + b" " + self.client_address[0].encode(), self.client_address)
socketserver.ThreadingTCPServer.allow_reuse_address = True
tcp, udp = socketserver.ThreadingTCPServer(("", 8080), Tcp), socketserver.ThreadingUDPServer(("", 8080), Udp)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
print("ready", flush=True)
udp.serve_forever()
"""

_CLIENT = """
import socket, sys
kind, address, port = sys.argv[1:]
with socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
    s.settimeout(3)
    s.connect((address, int(port)))
    s.send(b"?")
    print(s.recv(100).decode())
"""


class Attached:
    """A network namespace that CNI attached, with a server on TCP and UDP 8080."""

    def __init__(self, name: str, plan: NetworkPlan, paths: EnginePaths) -> None:
        self.name = name
        self.namespace = f"{paths.name}-{name}"
        self._conflist = json.loads(cni.render(plan, paths))
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        result = json.loads(self._plugin("ADD"))
        self.ip = result["ips"][0]["address"].split("/")[0]
        self._server = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, sys.executable, "-c", _SERVER, name], stdout=subprocess.PIPE
        )
        assert self._server.stdout
        assert self._server.stdout.readline() == b"ready\n"

    def state(self, **changes: object) -> PodState:
        settled: dict[str, object] = {
            "ip": self.ip,
            "labels": {"app": "web"},
            "ready": True,
            "ports": (ContainerPort(containerPort=8080, name="http"),),
        }
        return PodState("default", self.name, **{**settled, **changes})  # type: ignore[arg-type]

    def run(self, *command: str) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *command], capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout + done.stderr

    def ask(self, address: str, port: int, kind: str = "tcp") -> str:
        return self.run(sys.executable, "-c", _CLIENT, kind, address, str(port)).strip()

    def kill(self) -> None:
        """End it as when a node loses power: nobody calls CNI."""
        self._server.kill()
        self._server.wait()
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False, capture_output=True)

    def detach(self) -> None:
        self._plugin("DEL")
        self.kill()

    def _plugin(self, command: str) -> bytes:
        plugin = self._conflist["plugins"][0]
        config = {"cniVersion": self._conflist["cniVersion"], "name": self._conflist["name"], **plugin}
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": sha256(self.namespace.encode()).hexdigest(),
            "CNI_NETNS": f"/run/netns/{self.namespace}",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(_CNI),
        }
        return subprocess.run(
            [_CNI / plugin["type"]], input=json.dumps(config).encode(), env={**os.environ, **environment},
            stdout=subprocess.PIPE, check=True,
        ).stdout  # fmt: skip


class Loop:
    """An event loop in a thread, so that the network serves while a test asks it.

    `faults` are exceptions that nobody caught: the supervisor ends itself on the first.
    """

    def __init__(self) -> None:
        self.faults: list[dict[str, object]] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def __call__(self, work: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert self.faults == []


def service(name: str = "web", **spec: object) -> Service:
    settled = {"selector": {"app": "web"}, "ports": (ServicePort(port=80, targetPort="http"),)}
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(**{**settled, **spec}),  # type: ignore[arg-type]
    )
