"""The packaged webhook on the node of these tests, installed with kubectl as its users do, and its image."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import kubernetes
import yaml
from kubelet_pods import Object, pod, read, ready_sandboxes, until
from node import Node
from webhook import DEPLOY, NAMESPACE, post

from casemate.images import layout, reference, store

sys.path.append(str(DEPLOY))

import image

NAME = "casemate-admission"
IMAGE = "casemate.local/casemate"
TEAM = "team-a"
CONFIGURATIONS = ("validatingwebhookconfiguration,mutatingwebhookconfiguration", NAME)
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@dataclass(frozen=True)
class Installed:
    """A cluster whose administrator has a kubeconfig, and a folder with a kustomization that names the image."""

    node: Node
    folder: Path

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """What it prints. It must succeed."""
        command = [str(kubernetes.binary("kubectl")), f"--kubeconfig={self.folder}/kubeconfig", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def ask(self, class_name: str | None = None, namespace: str = TEAM, **spec: object) -> httpx.Response:
        """What the API server answers to a Pod of that class, as a dry run."""
        body = pod("asked", class_name, namespace)
        return post(self.node.cluster, body | {"spec": body["spec"] | spec}, dry_run=True)

    def is_open(self) -> bool:
        """Whether a Pod without a class is accepted. It must have the default then; one under runc never is."""
        assert not self.ask("runc").is_success
        answer = self.ask()
        assert not answer.is_success or answer.json()["spec"]["runtimeClassName"] == "gvisor", answer.text
        return answer.is_success

    def replicas(self) -> list[str]:
        """The names of its Pods that are ready."""
        return [each["metadata"]["name"] for each in read(self.node, PODS).get("items", []) if _is_ready(each)]

    def scale(self, replicas: int) -> None:
        """Have that many Pods; wait until those are ready, and no other runs."""
        self.kubectl("-n", NAMESPACE, "scale", f"deployment/{NAME}", f"--replicas={replicas}")
        if not replicas:
            self.kubectl("-n", NAMESPACE, "delete", "pods", "--all", "--grace-period=0", "--force")
        until(lambda: len(self.replicas()) == replicas == len(self._running()), self.told)

    def _running(self) -> list[str]:
        return [name for name in ready_sandboxes(self.node) if name.startswith(NAME)]

    def metrics(self, name: str) -> str:
        """What one of its Pods tells Prometheus."""
        with self.node.cluster.client() as client:
            return client.get(f"{PODS}/{name}:8080/proxy/metrics").text

    def logs(self) -> str:
        """What its Pods logged."""
        selector = ("--selector=app.kubernetes.io/name=casemate", "--tail=-1")
        return self.kubectl("-n", NAMESPACE, "logs", *selector)

    def told(self) -> str:
        """What there is to know of Pods that are not as they should be."""
        return self.kubectl("-n", NAMESPACE, "get", "pods") + self.logs()[-5000:]


def _is_ready(found: Object) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def prepare(node: Node, folder: Path) -> Installed:
    """Bring the image to the node, and write the kustomization."""
    name = reference.parse(f"{IMAGE}:1")
    file = folder / "casemate.tar"
    image.write(file, str(name))
    store.add(layout.read(file, name), name, node.socket)
    file.unlink()
    (folder / "kubeconfig").write_text(Path(node.cluster.kubeconfig("admin")).read_text())
    resource = os.path.relpath(DEPLOY / "kustomize", folder.resolve())
    images = [{"name": "registry.example/casemate", "newName": IMAGE, "newTag": "1"}]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [resource], "images": images}))
    return Installed(node, folder)
