"""Gatekeeper and Kyverno beside an API server, outside of its cluster.

1. Of both only what answers admission runs, as one replica, with an administrator's kubeconfig and nothing limited.
2. Their custom resource definitions are those of their modules. Their policies are in `data/`, written by hand as their
   users write them: no more than the six lines of casemate's say about Pods.
3. What they do besides answering is off where it can be: reports, events, audit. Logs are as they come.
4. Gatekeeper is asked, by URL, about what its caller says: in measurements the Pods of the namespaces that are its own
   (label `asks`). Kyverno says itself what it is asked about.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "cluster"))

from apiserver import Cluster
from webhook import free_port

from benchmarks.admission import programs

Object = dict[str, Any]

DATA = Path(__file__).with_name("data")
_PATIENCE = 60.0
_started: list[subprocess.Popen[bytes]] = []
_PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "MutatingPolicy": "mutatingpolicies",
    "ValidatingPolicy": "validatingpolicies",
    "IsolationPolicy": "isolationpolicies",
    "PermittedClasses": "permittedclasses",
    "Assign": "assign",
    "RuntimeClass": "runtimeclasses",
}


def documents(*files: Path) -> list[Object]:
    """The objects in these files."""
    return [each for file in files for each in yaml.load_all(file.read_text(), yaml.CSafeLoader) if each]


def apply(cluster: Cluster, *bodies: Object) -> None:
    """Make objects; their kinds may be new."""
    with cluster.client() as client:
        client.timeout = httpx.Timeout(30)
        for body in bodies:
            wait(partial(_made, client, body), f"{body['kind']} {body['metadata']['name']}")


def _made(client: httpx.Client, body: Object) -> bool:
    answer = client.post(_collection(body), json=body)
    if answer.status_code in (201, 409):
        return True
    if answer.status_code in (400, 422):
        raise RuntimeError(answer.text[:3000])
    return False


def _collection(body: Object) -> str:
    version, kind = body["apiVersion"], body["kind"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = f"/namespaces/{body['metadata']['namespace']}" if body["metadata"].get("namespace") else ""
    return f"{root}{place}/{_PLURALS.get(kind, kind.lower() + 's')}"


def wait(condition: Callable[[], bool], what: str) -> None:
    """Until it holds."""
    ends = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > ends:
            raise RuntimeError(f"waited for {what}")
        time.sleep(0.3)


@dataclass(frozen=True)
class Peer:
    """A webhook that runs: its address, and its paths for Pods."""

    name: str
    version: str
    process: subprocess.Popen[bytes]
    url: str
    mutate: str
    validate: str


@dataclass(frozen=True)
class Asked:
    """What a peer is asked about: a rule of its webhooks, and a selector of namespaces."""

    rule: Object
    namespaces: Object


PODS = Asked(
    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]},
    {"matchLabels": {"asks": "gatekeeper"}},
)


def _start(folder: Path, name: str, command: list[str], **environment: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(["nice", "-n", "5", *command], stdout=log, stderr=log, env=os.environ | environment)
    _started.append(process)
    return process


def end_all() -> None:
    """Stop both peers, also one that did not get ready."""
    while _started:
        end(_started.pop())


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a webhook."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def gatekeeper(cluster: Cluster, folder: Path, asked: Asked = PODS) -> Peer:
    """Gatekeeper, with webhook configurations of ours."""
    program = programs.GATEKEEPER
    manifest = documents(program.source() / "deploy" / "gatekeeper.yaml")
    apply(cluster, *(each for each in manifest if each["kind"] in ("CustomResourceDefinition", "Namespace")))
    certificates, port = _certificates(folder), free_port()
    arguments = [
        f"--kubeconfig={cluster.kubeconfig('admin')}",
        f"--port={port}",
        "--host=127.0.0.1",
        f"--cert-dir={certificates}",
        "--disable-cert-rotation",
        "--debug-use-fake-pod",
        "--operation=webhook",
        "--operation=mutation-webhook",
        "--operation=generate",
        f"--health-addr=127.0.0.1:{free_port()}",
        "--prometheus-port=" + str(free_port()),
        "--logtostderr",
        "--exempt-namespace=gatekeeper-system",
    ]
    namespace = {"POD_NAMESPACE": "gatekeeper-system", "POD_NAME": "gatekeeper", "NAMESPACE": "gatekeeper-system"}
    process = _start(folder, "gatekeeper", [str(program.build()), *arguments], **namespace)
    apply(cluster, *documents(DATA / "gatekeeper.yaml"))
    peer = Peer("Gatekeeper", program.version, process, f"https://127.0.0.1:{port}", "/v1/mutate", "/v1/admit")
    authority = base64.b64encode((certificates / "tls.crt").read_bytes()).decode()
    apply(cluster, *_configurations(peer, authority, asked))
    return peer


def _certificates(folder: Path) -> Path:
    made = folder / "gatekeeper-certificates"
    made.mkdir()
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout tls.key -out tls.crt"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request.split(), *names], cwd=made, check=True, capture_output=True)
    (made / "ca.crt").write_bytes((made / "tls.crt").read_bytes())
    return made


def _configurations(peer: Peer, authority: str, asked: Asked) -> Iterator[Object]:
    for kind, path in (("Mutating", peer.mutate), ("Validating", peer.validate)):
        webhook = {
            "name": f"{kind.lower()}.gatekeeper.sh",
            "clientConfig": {"url": f"{peer.url}{path}", "caBundle": authority},
            "rules": [asked.rule],
            "namespaceSelector": asked.namespaces,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 10,
        }
        yield {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "gatekeeper"},
            "webhooks": [webhook],
        }


def kyverno(cluster: Cluster, folder: Path) -> Peer:
    """Kyverno's admission controller, which makes its certificates and webhook configurations itself."""
    program = programs.KYVERNO
    definitions = (program.source() / "config" / "crds").rglob("*.yaml")
    apply(cluster, *documents(*sorted(definitions)), *documents(DATA / "kyverno-set-up.yaml"))
    port = free_port()
    arguments = [
        f"--kubeconfig={cluster.kubeconfig('admin')}",
        f"--serverIP=127.0.0.1:{port}",
        f"--webhookServerPort={port}",
        "--webhookServerHost=127.0.0.1",
        "--caSecretName=kyverno-ca",
        "--tlsSecretName=kyverno-tls",
        f"--metricsPort={free_port()}",
        "--controllerRuntimeMetricsAddress=0",
        f"--cleanupServerPort={free_port()}",
        "--admissionReports=false",
        "--omitEvents=PolicyViolation,PolicyApplied,PolicyError,PolicySkipped",
        "--enablePolicyException=false",
        "--enableReporting=",
    ]
    names = {
        "KYVERNO_NAMESPACE": "kyverno",
        "KYVERNO_POD_NAME": "kyverno-0",
        "KYVERNO_DEPLOYMENT": "kyverno",
        "KYVERNO_SERVICEACCOUNT_NAME": "kyverno",
        "KYVERNO_ROLE_NAME": "kyverno",
        "KYVERNO_SVC": "kyverno-svc",
        "INIT_CONFIG": "kyverno",
        "METRICS_CONFIG": "kyverno-metrics",
        "TUF_ROOT": str(folder / "tuf"),
    }
    process = _start(folder, "kyverno", [str(program.build()), *arguments], **names)
    wait(lambda: _served(f"https://127.0.0.1:{port}/health/readiness"), "Kyverno")
    apply(cluster, *documents(DATA / "kyverno.yaml"))
    found: dict[str, str] = {}
    wait(lambda: len(found.update(_paths(cluster, port)) or found) == 2, "Kyverno's webhook configurations")
    url = f"https://127.0.0.1:{port}"
    return Peer("Kyverno", program.version, process, url, found["mutating"], found["validating"])


def _served(url: str) -> bool:
    try:
        return httpx.get(url, verify=False, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _paths(cluster: Cluster, port: int) -> Iterator[tuple[str, str]]:
    """Where Kyverno has the API server send Pods."""
    with cluster.client() as client:
        for kind in ("mutating", "validating"):
            listed = client.get(f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations").json()
            for webhook in (hook for each in listed["items"] for hook in each.get("webhooks", ())):
                url = webhook["clientConfig"].get("url", "")
                if f":{port}/" in url and any("pods" in rule["resources"] for rule in webhook.get("rules", ())):
                    yield kind, "/" + url.split("/", 3)[3].split("?")[0]
