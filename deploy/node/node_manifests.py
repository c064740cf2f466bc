"""Write the manifests of this folder: `python deploy/node/node_manifests.py`. Kustomize and Helm get the same."""

from __future__ import annotations

import sys
from pathlib import Path

from casemate import __version__

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent))

import package  # noqa: E402
from package import Object  # noqa: E402

NAMESPACE = "casemate-node"
IMAGE = f"registry.example/casemate:{__version__}"
_NOTE = "# Written by deploy/node/node_manifests.py.\n"
_NAME = "casemate-node"
_ARGUMENTS = ["apply", "--yes"]
_SELECTOR = {"casemate.dev/prepare": "true"}
_LABELS = {"app.kubernetes.io/name": _NAME}
_VALUES = {
    f"namespace: {NAMESPACE}": "namespace: {{ .Release.Namespace }}",
    IMAGE: '"{{ .Values.image }}"',
    "        - apply\n        - --yes\n": "        - {{ .Values.action }}\n        - --yes\n"
    "{{- range .Values.handlers }}\n        - --handler={{ . }}\n{{- end }}\n",
    "        casemate.dev/prepare: 'true'\n": "{{ toYaml .Values.nodeSelector | indent 8 }}\n",
}


def objects() -> list[Object]:
    """Everything but the namespace."""
    return [_account(), _role(), _binding(), _lease_role(), _lease_binding(), _script(), _daemon_set()]


def files() -> dict[str, str]:
    """The text of each file, by its path in this folder."""
    resources = ["namespace.yaml", "casemate-node.yaml"]
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}
    chart = package.chart(_NAME, "Prepares labelled nodes for more container runtimes, one at a time")
    values = {"image": IMAGE, "action": "apply", "handlers": [], "nodeSelector": _SELECTOR}
    return {
        "kustomize/namespace.yaml": package.documents(_NOTE, [_namespace()]),
        "kustomize/casemate-node.yaml": package.documents(_NOTE, objects()),
        "kustomize/kustomization.yaml": package.documents(_NOTE, [kustomization]),
        "helm/Chart.yaml": package.documents(_NOTE, [chart]),
        "helm/values.yaml": package.documents(_NOTE, [values]),
        "helm/templates/casemate-node.yaml": package.templated(package.documents(_NOTE, objects()), _VALUES),
    }


def _namespace() -> Object:
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def _account() -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME, "namespace": NAMESPACE}}


def _role() -> Object:
    rules = [
        _rule("", ["nodes"], ["get", "patch"]),
        _rule("", ["nodes/status"], ["patch"]),
        _rule("", ["events"], ["create"]),
        _rule("", ["pods"], ["list"]),
        _rule("", ["pods/eviction"], ["create"]),
        _rule("node.k8s.io", ["runtimeclasses"], ["get", "list", "create", "patch"]),
    ]
    return _named("ClusterRole", _NAME) | {"rules": rules}


def _lease_role() -> Object:
    rules = [_rule("coordination.k8s.io", ["leases"], ["get", "create", "update"])]
    return _named("Role", _NAME, "kube-system") | {"rules": rules}


def _binding() -> Object:
    return _named("ClusterRoleBinding", _NAME) | _bound("ClusterRole")


def _lease_binding() -> Object:
    return _named("RoleBinding", _NAME, "kube-system") | _bound("Role")


def _bound(kind: str) -> Object:
    return {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": _NAME},
        "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": NAMESPACE}],
    }


def _script() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _NAME, "namespace": NAMESPACE},
        "data": {"enter.py": (FOLDER / "enter.py").read_text(encoding="utf-8")},
    }


def _daemon_set() -> Object:
    container = {
        "name": "prepare",
        "image": IMAGE,
        "command": ["python3", "/enter/enter.py"],
        "args": _ARGUMENTS,
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "enter", "mountPath": "/enter", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": _NAME,
        "hostPID": True,
        "priorityClassName": "system-node-critical",
        "nodeSelector": _SELECTOR,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "enter", "configMap": {"name": _NAME}}],
    }
    spec = {
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
    meta = {"name": _NAME, "namespace": NAMESPACE}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": spec}


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _named(kind: str, name: str, namespace: str = "") -> Object:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta}


if __name__ == "__main__":
    package.write(FOLDER, files())
