"""What a cluster for trials needs before the corpus is played: its setting, a kind of its own, rights for its users."""

from __future__ import annotations

from typing import Final

from casemate.model.corpus import Corpus, Object

_NAME: Final = "casemate-corpus"
_RBAC: Final = "rbac.authorization.k8s.io"
_EVERYTHING: Final = ("", "apps", "batch", "example.com", "node.k8s.io")


def setting(corpus: Corpus) -> list[Object]:
    """Everything in the order in which it can be made.

    Users may do anything with workloads, namespaces and classes, so that nobody but the policies stops them; of
    casemate's documents they may write what a tenant may.
    """
    return [_role(), _binding(), _kind(), *sorted(corpus.setting, key=_namespaces_first)]


def _namespaces_first(each: Object) -> bool:
    return each["kind"] != "Namespace"


def _role() -> Object:
    rules = [
        {"apiGroups": list(_EVERYTHING), "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["casemate.dev"], "resources": ["namespacedisolationpolicies"], "verbs": ["*"]},
    ]
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": _NAME}, "rules": rules}


def _binding() -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _NAME},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _NAME},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": "system:authenticated"}],
    }


def _kind() -> Object:
    """`TrainingJob`, a custom resource that embeds Pod templates."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "trainingjobs.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "trainingjobs", "singular": "trainingjob", "kind": "TrainingJob"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
