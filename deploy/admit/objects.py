"""What runs the webhook in a cluster, and what it may do."""

from __future__ import annotations

from typing import Any

from casemate import __version__
from casemate.admission import authority, webhooks
from casemate.model.policy import Part

Object = dict[str, Any]
IMAGE = f"registry.example/casemate:{__version__}"
_LABELS = {"app.kubernetes.io/name": "casemate", "app.kubernetes.io/component": "admission"}
_ACCOUNT = "casemate-admission"
_RBAC = "rbac.authorization.k8s.io"


def workload_objects(namespace: str) -> list[Object]:
    """The namespace and everything in it."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": namespace,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/name": "casemate"},
            },
        },
        _named("v1", "ServiceAccount", namespace) | {"automountServiceAccountToken": False},
        _named("v1", "Secret", namespace, authority.SECRET) | {"type": "Opaque"},
        _role(namespace),
        _named(f"{_RBAC}/v1", "RoleBinding", namespace) | _binds("Role", namespace),
        _service(namespace),
        _deployment(namespace),
        _named("policy/v1", "PodDisruptionBudget", namespace)
        | {"spec": {"minAvailable": 2, "selector": {"matchLabels": _LABELS}}},
    ]


def cluster_objects(namespace: str) -> list[Object]:
    """What it may do in the whole cluster."""
    read = ["get", "list", "watch"]
    own = ("isolationpolicies", "namespacedisolationpolicies", "isolationexceptions")
    configurations = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]
    rules = [
        _rule("", ["namespaces", "nodes"], read),
        _rule("node.k8s.io", ["runtimeclasses"], read),
        # Read when a policy asks for rights (`rbac: use`), and not before.
        _rule(_RBAC, ["roles", "clusterroles", "rolebindings", "clusterrolebindings"], ["list", "watch"]),
        _rule("casemate.dev", list(own), read),
        _rule("casemate.dev", [f"{each}/status" for each in own], ["patch"]),
        _rule("", ["pods", "replicationcontrollers", "podtemplates"], ["list"]),
        _rule("apps", ["deployments", "replicasets", "statefulsets", "daemonsets"], ["list"]),
        _rule("batch", ["jobs", "cronjobs"], ["list"]),
        _rule("apiextensions.k8s.io", ["customresourcedefinitions"], ["list"]),
        # Probes: dry runs of an object that nothing ever starts.
        _rule("", ["podtemplates"], ["create"]),
        _rule("admissionregistration.k8s.io", configurations, ["get", "update"]) | {"resourceNames": [webhooks.NAME]},
        _rule("wgpolicyk8s.io", ["policyreports"], ["list", "create", "patch", "delete"]),
        _rule("openreports.io", ["reports"], ["list", "create", "patch", "delete"]),
    ]
    return [
        _named(f"{_RBAC}/v1", "ClusterRole", "") | {"rules": rules},
        _named(f"{_RBAC}/v1", "ClusterRoleBinding", "") | _binds("ClusterRole", namespace),
    ]


def own_policy(namespace: str) -> Object:
    """What casemate's own Pods have to be; they are never denied, but the audit says when they are not."""
    hardening = [each.value for each in Part if each is not Part.USER_NAMESPACE]
    return {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "IsolationPolicy",
        "metadata": {"name": "casemate"},
        "spec": {
            "match": {"namespaces": {"names": [namespace]}},
            "hardening": {"below": "vm", "require": hardening},
            "mode": "audit",
        },
    }


def _named(version: str, kind: str, namespace: str, name: str = _ACCOUNT) -> Object:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **where, "labels": _LABELS}}


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _role(namespace: str) -> Object:
    rules = [
        _rule("", ["secrets"], ["get", "update"]) | {"resourceNames": [authority.SECRET]},
        _rule("coordination.k8s.io", ["leases"], ["create"]),
        _rule("coordination.k8s.io", ["leases"], ["get", "update"]) | {"resourceNames": [_ACCOUNT]},
    ]
    return _named(f"{_RBAC}/v1", "Role", namespace) | {"rules": rules}


def _binds(kind: str, namespace: str) -> Object:
    return {
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": _ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": namespace}],
    }


def _service(namespace: str) -> Object:
    ports = [{"name": "https", "port": 443, "targetPort": "https"}]
    return _named("v1", "Service", namespace) | {"spec": {"selector": _LABELS, "ports": ports}}


def _deployment(namespace: str) -> Object:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": _LABELS}}
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _LABELS},
    }
    pod = {
        "serviceAccountName": _ACCOUNT,
        "automountServiceAccountToken": True,
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 40,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
            }
        },
        "topologySpreadConstraints": [spread],
        "containers": [_container()],
        "volumes": [{"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}],
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}
    spec = {
        "replicas": 3,
        "strategy": rolling,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
    return _named("apps/v1", "Deployment", namespace) | {"spec": spec}


def _container() -> Object:
    def probe(path: str, **more: int) -> Object:
        return {"httpGet": {"path": path, "port": "health"}, **more}

    return {
        "name": "admission",
        "image": IMAGE,
        "args": ["admit", "--state=/run/casemate", "--namespace=$(NAMESPACE)", "--workers=2"],
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "TMPDIR", "value": "/run/casemate"},
        ],
        "ports": [{"name": "https", "containerPort": 8443}, {"name": "health", "containerPort": 8080}],
        "startupProbe": probe("/livez", periodSeconds=1, failureThreshold=60),
        "livenessProbe": probe("/livez", periodSeconds=10, failureThreshold=3),
        "readinessProbe": probe("/readyz", periodSeconds=2, failureThreshold=2),
        "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "768Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "state", "mountPath": "/run/casemate"}],
    }
