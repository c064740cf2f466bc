"""The Pods of the comparison, as API objects and as AdmissionReviews of some 5 KB, and the verdict that each must get.

Two in five name gVisor, which is permitted; two name none, which is to be changed; one names runc, which is denied.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Object = dict[str, Any]

COUNT = 500
NAMESPACES = 20
ASKED = ("none", "casemate", "gatekeeper", "kyverno")
"""Who is asked about the Pods of a namespace."""

_CLASSES = ("gvisor", None, "gvisor", None, "runc")
_USER = {
    "username": "system:serviceaccount:kube-system:replicaset-controller",
    "uid": "f5c1d8c0-6ee7-4e7b-9c8b-6a5f8a3f3c11",
    "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
}


def namespaces() -> list[Object]:
    """Namespaces that the policy is about, for each tool its own."""
    return [_namespace(asked, number) for asked in ASKED for number in range(NAMESPACES)]


def _namespace(asked: str, number: int) -> Object:
    labels = {"tenancy": "shared", "asks": asked}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{asked}-{number}", "labels": labels}}


def write_reviews(file: Path, asked: str, mutate: str, validate: str) -> None:
    """Calls of both endpoints, turn about: first the Pod as it is made, then as it is to be stored."""
    with file.open("w") as lines:
        for number in range(COUNT):
            new, chosen = pod(number, asked), _CLASSES[number % len(_CLASSES)]
            _line(lines, mutate, "allow" if chosen else "change", _review(new, number, "0"))
            if not chosen:
                new["spec"]["runtimeClassName"] = "gvisor"
            _line(lines, validate, "deny" if chosen == "runc" else "allow", _review(new, number, "1"))


def write_creates(file: Path, asked: str) -> None:
    """Calls of the API server: dry runs."""
    with file.open("w") as lines:
        for number in range(COUNT):
            new, chosen = pod(number, asked), _CLASSES[number % len(_CLASSES)]
            must = "change" if chosen != "runc" else "deny"
            if asked == "none":
                must = "change" if chosen == "gvisor" else "allow"
            path = f"/api/v1/namespaces/{new['metadata']['namespace']}/pods?dryRun=All"
            _line(lines, path, must, new)


def _line(lines: Any, path: str, must: str, body: Object) -> None:
    lines.write(json.dumps({"path": path, "must": must, "body": body}, separators=(",", ":")) + "\n")


def _review(new: Object, number: int, turn: str) -> Object:
    resource = {"group": "", "version": "v1", "resource": "pods"}
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": f"0{turn}4c2f9e-7b0e-4c55-9d7e-{number:012x}",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": new["metadata"]["name"],
            "namespace": new["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": _USER,
            "object": new,
            "oldObject": None,
            "dryRun": True,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]},
        },
    }


def pod(number: int, asked: str) -> Object:
    """A Pod of a ReplicaSet, with what the API server has filled in."""
    name, chosen = f"web-{number // 10}", _CLASSES[number % len(_CLASSES)]
    recommended = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": f"u-{number}", "controller": True}
    spec = {
        "containers": [_container(name, "web"), _container(name, "proxy")],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "securityContext": {"runAsNonRoot": True, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "config", "configMap": {"name": f"{name}-config", "defaultMode": 420}},
            {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": _TOKEN}},
        ],
    } | ({"runtimeClassName": chosen} if chosen else {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{number:05x}",
            "namespace": f"{asked}-{number % NAMESPACES}",
            "labels": {**recommended, "pod-template-hash": f"{number:x}"},
            "annotations": {"checksum/config": f"{number:064x}", "prometheus.io/scrape": "true"},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


_TOKEN = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
]


def _container(name: str, which: str) -> Object:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10}
    return {
        "name": which,
        "image": f"registry.example.com/shop/{which}:1.{len(name)}",
        "args": ["--config=/etc/app/config.yaml", "--log-level=info", "--listen=:8080"],
        "env": [{"name": f"SETTING_{each}", "value": f"{name}-value-{each}"} for each in range(14)],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "livenessProbe": probe,
        "readinessProbe": probe,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 1000},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "config", "mountPath": "/etc/app", "readOnly": True},
            {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
