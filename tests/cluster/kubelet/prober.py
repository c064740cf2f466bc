"""The prober of deploy/prove as a DaemonSet on the node of these tests, and its image."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from kubelet_pods import Object, read, until
from node import NAME, Node

from casemate.images import layout, reference, store

DEPLOY = Path(__file__).parents[3] / "deploy" / "prove"
sys.path.append(str(DEPLOY))

import prove_image  # noqa: E402
import prove_manifests  # noqa: E402

NAMESPACE = prove_manifests.NAMESPACE
CONFIG_MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SECONDS = 200.0

_PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


def start(node: Node, folder: Path) -> None:
    """Make the key, the image and the objects."""
    for command in ("genpkey -algorithm ed25519 -out key", "pkey -in key -pubout -out pub"):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    file = folder / "prove.tar"
    prove_image.write(file, prove_manifests.IMAGE)
    name = reference.parse(prove_manifests.IMAGE)
    store.add(layout.read(file, name), name, node.socket)
    file.unlink()
    for each in yaml.safe_load_all(prove_manifests.files()["kustomize/namespace.yaml"]):
        make(node, each)
    key = base64.b64encode((folder / "key").read_bytes()).decode()
    meta = {"name": NAMESPACE, "namespace": NAMESPACE}
    make(node, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"key.pem": key}})
    for each in prove_manifests.objects():
        make(node, _here(each, node))
    label(node, {"casemate.dev/prove": "true"})


def _here(each: Object, node: Node) -> Object:
    """The same for this node: its socket, and an image that is there already."""
    if each["kind"] != "DaemonSet":
        return each
    found = json.loads(json.dumps(copy.deepcopy(each)).replace(prove_manifests.SOCKET, node.socket))
    pod = found["spec"]["template"]["spec"]
    pod["containers"][0]["imagePullPolicy"] = "Never"
    volume = next(one for one in pod["volumes"] if one["name"] == "runtime")
    volume["hostPath"]["path"] = str(Path(node.socket).parent)
    return dict(found)


def make(node: Node, body: Object) -> None:
    """Make an object where its kind belongs."""
    node.cluster.apply(_path(body), body)


def _path(body: Object) -> str:
    version, namespace = body["apiVersion"], body["metadata"].get("namespace")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(body["kind"], f"{body['kind'].lower()}s")
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def label(node: Node, labels: dict[str, Any]) -> None:
    """Give the node these labels; None takes one away."""
    with node.cluster.client() as client:
        kind = {"Content-Type": "application/merge-patch+json"}
        body = json.dumps({"metadata": {"labels": labels}})
        answer = client.patch(f"/api/v1/nodes/{NAME}", content=body, headers=kind)
    assert answer.is_success, answer.text


def stop(node: Node) -> None:
    """Take the node's label away, and wait until its prober is gone."""
    label(node, {"casemate.dev/prove": None})
    until(lambda: not running(node), lambda: told(node), SECONDS)


def running(node: Node) -> list[Object]:
    """The prober's Pods."""
    return list(read(node, PODS).get("items", []))


def told(node: Node) -> str:
    """What there is to know of a prober that does not publish."""
    log = next((node.engine.root / "kubelet" / "logs").glob(f"{NAMESPACE}_*/prove/*.log"), None)
    statuses = [each["status"] for each in running(node)]
    return f"{statuses}\n{log.read_text()[-5000:] if log else 'no log'}"


def token(node: Node) -> str:
    """A token as the prober's Pod has it: bound to the Pod, and so to its node."""
    (pod,) = running(node)
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": bound}}
    with node.cluster.client() as client:
        answer = client.post(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAMESPACE}/token", json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["status"]["token"])
