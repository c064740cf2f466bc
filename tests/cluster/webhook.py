"""`casemate admit` beside a real API server, which calls it over TLS by URL."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import yaml
from apiserver import Cluster, Running

from casemate.admission import webhooks

DEPLOY = Path(__file__).parents[2] / "deploy" / "admit"
NAMESPACE = "casemate-system"
PATIENCE = 30.0

Object = dict[str, Any]


def manifests(name: str) -> list[Object]:
    """The objects of a packaged file."""
    return [each for each in yaml.safe_load_all((DEPLOY / "kustomize" / f"{name}.yaml").read_text()) if each]


def post(cluster: Cluster, body: Object, *, dry_run: bool = False, **headers: str) -> httpx.Response:
    """Make an object; groups are given as `groups="a,b"`, a user as `user=`."""
    with cluster.client() as client:
        return client.post(
            collection(body), json=body, params={"dryRun": "All"} if dry_run else {}, headers=as_user(**headers)
        )


def refused_once(cluster: Cluster, body: Object) -> bool:
    """Whether a policy refuses it, as a dry run."""
    answer = post(cluster, body, dry_run=True)
    return answer.status_code == 403 and "casemate" in answer.text


def as_user(user: str = "", groups: str = "") -> list[tuple[str, str]]:
    found = [("Impersonate-User", user)] if user else []
    return found + [("Impersonate-Group", each) for each in groups.split(",") if each]


_PLURALS = {
    "IsolationPolicy": "isolationpolicies",
    "NamespacedIsolationPolicy": "namespacedisolationpolicies",
    "RuntimeClass": "runtimeclasses",
}


def collection(body: Object) -> str:
    version, meta = body["apiVersion"], body["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
    kind = body["kind"]
    return f"{root}{place}/{_PLURALS.get(kind, kind.lower() + 's')}"


def path(body: Object) -> str:
    return f"{collection(body)}/{body['metadata']['name']}"


def make(cluster: Cluster, *bodies: Object) -> None:
    for body in bodies:
        answer = post(cluster, body)
        assert answer.status_code in (201, 409), answer.text


def install(cluster: Cluster, port: int) -> None:
    """Everything that is packaged but the Pods; the webhooks are called on this machine."""
    make(cluster, *manifests("crds"), *manifests("namespace"))
    make(cluster, *(each for each in manifests("casemate") if each["kind"] != "Deployment"))
    for configuration in webhooks.configurations(NAMESPACE):
        make(cluster, by_url(configuration, port))
    wait_for(lambda: served(cluster), "the definitions to be served")


def served(cluster: Cluster) -> bool:
    with cluster.client() as client:
        root = "/apis/casemate.dev/v1alpha1"
        names = ("isolationpolicies", "namespacedisolationpolicies", "isolationexceptions")
        return all(client.get(f"{root}/{each}").is_success for each in names)


def by_url(configuration: Object, port: int) -> Object:
    changed: Object = json.loads(json.dumps(configuration))  # Webhooks share parts.
    for each in changed["webhooks"]:
        service = each["clientConfig"].pop("service")
        each["clientConfig"]["url"] = f"https://127.0.0.1:{port}{service['path']}"
    return changed


def uninstall(cluster: Cluster) -> None:
    with cluster.client() as client:
        for configuration in webhooks.configurations(NAMESPACE):
            client.delete(path(configuration))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Restartable(Running):
    """An API server with the RuntimeClass plugin on, that can be ended and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "--disable-admission-plugins=ServiceAccount")
        self._command: tuple[str, ...] = ()

    def _start(self, name: str, *command: str) -> None:
        if name == "kube-apiserver":
            self._command = command
        super()._start(name, *command)

    def restart(self, cluster: Cluster) -> None:
        """Kill the API server and start it again."""
        server = self._processes.pop()
        server.kill()
        server.wait()
        self._start("kube-apiserver", *self._command)
        self._wait(cluster)


def wait_for(condition: Any, what: str, seconds: float = PATIENCE) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:g} s for {what}")


@dataclass
class Webhook:
    """One replica, as its own process tree."""

    cluster: Cluster
    folder: Path
    port: int
    arguments: tuple[str, ...] = ()
    health: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            str(Path(sys.executable).with_name("casemate")),
            "admit",
            f"--kubeconfig={self.kubeconfig()}",
            f"--listen=127.0.0.1:{self.port}",
            f"--health=127.0.0.1:{self.health}",
            f"--state={self.folder}/state",
            "--host-name=127.0.0.1",
            "--drain=1",
            *self.arguments,
        ]
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["nice", "-n", "5", *command], stdout=log, stderr=log)

    def kubeconfig(self) -> str:
        """As the packaged service account, which has the packaged rights and no more."""
        user = {"token": self.cluster.admin, "as": f"system:serviceaccount:{NAMESPACE}:casemate-admission"}
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"]
        return self.cluster.kubeconfig(f"webhook-{self.port}", **user, **{"as-groups": groups})

    def wait_ready(self) -> None:
        wait_for(self.is_ready, f"readiness\n{self.log()}")

    def is_ready(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log()
        return self.health_of("/readyz").startswith("200")

    def health_of(self, path: str) -> str:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.health}{path}", trust_env=False)
        except httpx.HTTPError as error:
            return str(error)
        return f"{answer.status_code} {answer.text}"

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def children(self) -> list[int]:
        assert self.process
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(each) for each in listed.read_text().split()]

    def stop(self) -> int:
        assert self.process
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(40)


def generator() -> ModuleType:
    """`deploy/admit/generate.py` as a module."""
    sys.path.insert(0, str(DEPLOY))
    spec = importlib.util.spec_from_file_location("generate", DEPLOY / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
