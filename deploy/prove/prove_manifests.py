"""Write the manifests of this folder: `python deploy/prove/prove_manifests.py`. Kustomize and Helm get the same.

1. The prober may write ConfigMaps of its own namespace, and an admission policy holds each to the one that is named as
   the node that its token is bound to: a node that fell can speak for no other.
2. It sees the node's processes (hostPID), enters the runtime's mount namespace, and asks CRI's streams on the node's
   loopback (hostNetwork); so it is privileged, in a namespace of its own.
3. Probe Pods lie in another namespace, which is restricted and in which the prober may nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from casemate import __version__
from casemate.prove.probe_pods import NAMESPACE as PROBES
from casemate.prove.published import NAMESPACE

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent))

import package  # noqa: E402
from package import Object  # noqa: E402

IMAGE = f"registry.example/casemate-prove:{__version__}"
SOCKET = "/run/containerd/containerd.sock"
_NOTE = "# Written by deploy/prove/prove_manifests.py.\n"
_NAME = "casemate-prove"
_SELECTOR = {"casemate.dev/prove": "true"}
_LABELS = {"app.kubernetes.io/name": _NAME}
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io/v1"
_NODE = "authentication.kubernetes.io/node-name"
_VALUES = {
    IMAGE: "{{ .Values.image | quote }}",
    SOCKET: "{{ .Values.socket | quote }}",
    "path: /run/containerd\n": "path: {{ dir .Values.socket | quote }}\n",
    "        casemate.dev/prove: 'true'\n": "{{ toYaml .Values.nodeSelector | indent 8 }}\n",
}


def objects() -> list[Object]:
    """Everything but the namespaces, and the Secret with the key."""
    return [_account(), _role(), _binding(), _policy(), _policy_binding(), _script(), _daemon_set()]


def files() -> dict[str, str]:
    """The text of each file, by its path in this folder."""
    resources = ["namespace.yaml", "casemate-prove.yaml"]
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}
    chart = package.chart(_NAME, "Proves the boundaries of labelled nodes, and publishes what it found")
    values = {"image": IMAGE, "socket": SOCKET, "nodeSelector": _SELECTOR}
    return {
        "kustomize/namespace.yaml": package.documents(
            _NOTE, [_namespace(NAMESPACE, "privileged"), _namespace(PROBES, "restricted")]
        ),
        "kustomize/casemate-prove.yaml": package.documents(_NOTE, objects()),
        "kustomize/kustomization.yaml": package.documents(_NOTE, [kustomization]),
        "helm/Chart.yaml": package.documents(_NOTE, [chart]),
        "helm/values.yaml": package.documents(_NOTE, [values]),
        "helm/templates/casemate-prove.yaml": package.templated(package.documents(_NOTE, objects()), _VALUES),
    }


def _namespace(name: str, level: str) -> Object:
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _account() -> Object:
    return _named("v1", "ServiceAccount") | {"automountServiceAccountToken": False}


def _role() -> Object:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}]
    return _named(f"{_RBAC}/v1", "Role") | {"rules": rules}


def _binding() -> Object:
    return _named(f"{_RBAC}/v1", "RoleBinding") | {
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _NAME},
        "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": NAMESPACE}],
    }


def _policy() -> Object:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    user = f"system:serviceaccount:{NAMESPACE}:{_NAME}"
    extra = "request.userInfo.extra"
    own = f"has({extra}) && '{_NODE}' in {extra} && {extra}['{_NODE}'] == [object.metadata.name]"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"namespaceSelector": here, "resourceRules": [rule]},
        "matchConditions": [{"name": "prober", "expression": f"request.userInfo.username == '{user}'"}],
        "validations": [{"expression": own, "message": "a prober writes the ConfigMap of its own node"}],
    }
    return _cluster_wide("ValidatingAdmissionPolicy") | {"spec": spec}


def _policy_binding() -> Object:
    return _cluster_wide("ValidatingAdmissionPolicyBinding") | {
        "spec": {"policyName": _NAME, "validationActions": ["Deny"]}
    }


def _script() -> Object:
    return _named("v1", "ConfigMap", f"{_NAME}.enter") | {
        "data": {"enter_runtime.py": (FOLDER / "enter_runtime.py").read_text(encoding="utf-8")}
    }


def _daemon_set() -> Object:
    container = {
        "name": "prove",
        "image": IMAGE,
        "command": ["python3", "/enter/enter_runtime.py"],
        "args": [SOCKET, "--node-name=$(NODE_NAME)"],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"privileged": True, "runAsUser": 0, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "enter", "mountPath": "/enter", "readOnly": True},
            {"name": "key", "mountPath": "/key", "readOnly": True},
            {"name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True},
            {"name": "runtime", "mountPath": "/runtime", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
    account = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    pod = {
        "serviceAccountName": _NAME,
        "automountServiceAccountToken": False,
        "hostPID": True,
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "priorityClassName": "system-node-critical",
        "nodeSelector": _SELECTOR,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "enter", "configMap": {"name": f"{_NAME}.enter"}},
            {"name": "key", "secret": {"secretName": _NAME, "defaultMode": 0o400}},
            {"name": "account", "projected": {"sources": account}},
            {"name": "runtime", "hostPath": {"path": str(Path(SOCKET).parent), "type": "Directory"}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
    }
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    return _named("apps/v1", "DaemonSet") | {"spec": {"selector": {"matchLabels": _LABELS}, "template": template}}


def _named(version: str, kind: str, name: str = _NAME) -> Object:
    meta = {"name": name, "namespace": NAMESPACE, "labels": _LABELS}
    return {"apiVersion": version, "kind": kind, "metadata": meta}


def _cluster_wide(kind: str) -> Object:
    return {"apiVersion": _ADMISSION, "kind": kind, "metadata": {"name": _NAME, "labels": _LABELS}}


if __name__ == "__main__":
    package.write(FOLDER, files())
