"""Manifests of thousands of different workloads, the same for the same seed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

PER_FILE = 5
_KINDS = ("Deployment", "Deployment", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_IMAGES = (
    *("nginx", "redis", "postgres", "ghcr.io/example/api", "registry.example.com/shop/web", "quay.io/example/worker"),
    *("docker", "gcr.io/kaniko-project/executor", "ghcr.io/actions/actions-runner", "quay.io/jupyter/base-notebook"),
    *("darthsim/imgproxy", "quay.io/prometheus/node-exporter", "vllm/vllm-openai", "grafana/grafana"),
)
_CLASSES = (None, None, None, None, None, "gvisor", "kata-qemu", "isolated-sandbox", "unknown-class")


class _Dumper(yaml.CSafeDumper):
    """Charts render no anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def write(folder: Path, workloads: int, shapes: int) -> list[Path]:
    """Write that many workloads of so many shapes, and what stands beside them, and say into which files.

    Workloads of one shape differ in names, images' tags, arguments and environment, as releases of one chart do.
    """
    files = []
    for first in range(0, workloads, PER_FILE):
        documents = [_beside(first)] if first % 50 == 0 else []
        for number in range(first, min(first + PER_FILE, workloads)):
            chance = random.Random(number % shapes)
            documents.append(_workload(number, chance))
            if chance.random() < 0.3:
                documents.append(_service(number, chance))
        file = folder / f"team-{first % 97:02}" / f"app-{first:05}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False))
        files.append(file)
    return files


def _workload(number: int, chance: random.Random) -> Json:
    kind, name = chance.choice(_KINDS), f"app-{number}"
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"app-{number % 40}.0.1",
    }
    template = {"metadata": {"labels": {"app": name, **labels}}, "spec": spec(number, chance)}
    own: Json = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Never"
        own = {"template": template}
    if kind == "CronJob":
        own = {"schedule": "5 3 * * *", "jobTemplate": {"spec": own}}
    group = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": name, "namespace": f"team-{number % 97}", "labels": labels},
        "spec": own,
    }


def spec(number: int, chance: random.Random) -> Json:
    spec: Json = {"serviceAccountName": f"sa-{number % 300}"}
    if (chosen := chance.choice(_CLASSES)) is not None:
        spec["runtimeClassName"] = chosen
    for field, value, likely in (
        ("hostUsers", False, 0.1),
        ("automountServiceAccountToken", False, 0.5),
        ("hostNetwork", True, 0.05),
        ("hostPID", True, 0.03),
        ("securityContext", {"runAsNonRoot": True, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}}, 0.5),
        ("nodeSelector", {"kubernetes.io/os": "linux"}, 0.6),
    ):
        if chance.random() < likely:
            spec[field] = value
    spec["containers"] = [_container(number, each, chance) for each in range(chance.choice((1, 1, 2, 3)))]
    spec["volumes"] = [{"name": "tmp", "emptyDir": {}}, {"name": "config", "configMap": {"name": f"config-{number}"}}]
    if chance.random() < 0.08:
        path = chance.choice(("/var/log", "/var/run/docker.sock", "/proc", "/"))
        spec["volumes"].append({"name": "host", "hostPath": {"path": path}})
    return spec


def _container(number: int, place: int, chance: random.Random) -> Json:
    image = chance.choice(_IMAGES) + chance.choice((f":{number}", ":latest", f"@sha256:{number:064x}"))
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "initialDelaySeconds": 5}
    made: Json = {
        "name": f"c{place}",
        "image": image,
        "args": ["--config=/etc/app/config.yaml", f"--shard={number}", "--log-level=info"],
        "env": [{"name": f"SETTING_{each}", "value": f"value-{number}-{each}"} for each in range(chance.randrange(8))],
        "ports": [{"name": "http", "containerPort": 8080 + place}],
        "readinessProbe": probe,
        "livenessProbe": dict(probe),
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "config", "mountPath": "/etc/app", "readOnly": True},
        ],
    }
    security = {
        field: value
        for field, value, likely in (
            ("allowPrivilegeEscalation", False, 0.6),
            ("capabilities", {"drop": ["ALL"]}, 0.5),
            ("runAsUser", chance.choice((0, 1000, 65532)), 0.5),
            ("readOnlyRootFilesystem", True, 0.4),
            ("privileged", True, 0.04),
            ("seccompProfile", {"type": "Unconfined"}, 0.03),
        )
        if chance.random() < likely
    }
    return {**made, "securityContext": security} if security else made


def _service(number: int, chance: random.Random) -> Json:
    kind = chance.choice(("ClusterIP", "ClusterIP", "LoadBalancer"))
    spec = {
        "type": kind,
        "selector": {"app": f"app-{number}"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"app-{number}", "namespace": f"team-{number % 97}"},
        "spec": spec,
    }


def _beside(number: int) -> Json:
    if number == 0:
        return {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "gvisor"},
            "handler": "runsc",
        }
    metadata = {"name": f"default-{number}", "namespace": f"team-{number % 97}"}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
