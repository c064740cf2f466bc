"""Which requests the API server has to ask about: the two webhook configurations, and what one of a cluster lacks.

1. Pods and every built-in kind with a Pod template, at CREATE and UPDATE; the subresources that change a Pod's
   containers (`ephemeralcontainers`, `resize`) by name, for `pods` does not include them. `/mutate` sees what may still
   be changed: Pods and Jobs at CREATE, other templates at UPDATE too.
2. Anchors: namespaces with `status` and `finalize`, through which labels can be moved (CVE-2026-30963), RuntimeClasses
   (also when they are deleted), casemate's own objects.
3. Everything fails closed (`Fail`), save what a cluster needs to come back when casemate is down: its own namespace is
   not asked about; of kube-system the node-critical Pods are asked about in a webhook of their own that fails open; and
   policies can be written and deleted: one that cannot be read denies what it could be about (`judge`), so that nothing
   is weaker for it.
4. Namespaces are asked about when labels change only: they can be finalized while casemate is down.
5. `Equivalent`: another version of the API makes no difference. No side effects, so dry runs are asked about too.
   Mutation is repeated when another webhook changes the object after us (`IfNeeded`).
6. Custom resources with Pod templates are asked about when they are named (`kinds`), at CREATE and UPDATE.

Sources: k8s.io/api/admissionregistration/v1; matchConditions are stable since Kubernetes 1.30.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

NAME: Final = "casemate-admission"
SECONDS: Final = 10
_BOTH: Final = ("CREATE", "UPDATE")
_NAME_LABEL: Final = "kubernetes.io/metadata.name"

Object = dict[str, object]
_Rule = tuple[str, str, tuple[str, ...], tuple[str, ...]]

_MUTATED: Final[tuple[_Rule, ...]] = (
    ("", "v1", ("pods",), ("CREATE",)),
    ("batch", "v1", ("jobs",), ("CREATE",)),
    ("", "v1", ("replicationcontrollers", "podtemplates"), _BOTH),
    ("apps", "v1", ("deployments", "replicasets", "statefulsets", "daemonsets"), _BOTH),
    ("batch", "v1", ("cronjobs",), _BOTH),
)
_VALIDATED: Final[tuple[_Rule, ...]] = (
    ("", "v1", ("pods", "pods/ephemeralcontainers", "pods/resize", "replicationcontrollers", "podtemplates"), _BOTH),
    ("apps", "v1", ("deployments", "replicasets", "statefulsets", "daemonsets"), _BOTH),
    ("batch", "v1", ("jobs", "cronjobs"), _BOTH),
)
_NAMESPACES: Final[tuple[_Rule, ...]] = (("", "v1", ("namespaces", "namespaces/status", "namespaces/finalize"), _BOTH),)
_CLASSES: Final[tuple[_Rule, ...]] = (("node.k8s.io", "v1", ("runtimeclasses",), (*_BOTH, "DELETE")),)
_OWN: Final[tuple[_Rule, ...]] = (
    ("casemate.dev", "*", ("isolationpolicies", "namespacedisolationpolicies", "isolationexceptions"), _BOTH),
)

_CRITICAL: Final = (
    "request.namespace == 'kube-system' && request.resource.resource == 'pods' && "
    "object != null && object.spec.?priorityClassName.orValue('') == 'system-node-critical'"
)
_LABELS_MOVE: Final = (
    "oldObject == null || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})"
)


def configurations(namespace: str, service: str = NAME, kinds: Sequence[str] = ()) -> list[Object]:
    """Both configurations. `kinds` are custom resources, as `group/version/resources`."""
    custom = tuple(_custom(each) for each in kinds)
    return [
        _configuration("Mutating", list(_mutating(namespace, service, (*_MUTATED, *custom)))),
        _configuration("Validating", list(_validating(namespace, service, (*_VALIDATED, *custom)))),
    ]


def _custom(text: str) -> _Rule:
    group, version, resources = text.split("/", 2)
    return group, version, (resources,), _BOTH


def _configuration(kind: str, webhooks: list[Object]) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": "casemate"}},
        "webhooks": webhooks,
    }


def _mutating(namespace: str, service: str, rules: Sequence[_Rule]) -> Iterator[Object]:
    for each in _workloads(namespace, service, "/mutate", rules):
        yield each | {"reinvocationPolicy": "IfNeeded"}


def _validating(namespace: str, service: str, rules: Sequence[_Rule]) -> Iterator[Object]:
    yield from _workloads(namespace, service, "/validate", rules)
    client = _client(namespace, service, "/validate")
    moves = [{"name": "labels-move", "expression": _LABELS_MOVE}]
    yield _webhook("namespaces", client, _NAMESPACES) | {"matchConditions": moves}
    yield _webhook("classes", client, _CLASSES)
    yield _webhook("policies", client, _OWN) | {"failurePolicy": "Ignore"}


def _workloads(namespace: str, service: str, path: str, rules: Sequence[_Rule]) -> Iterator[Object]:
    client = _client(namespace, service, path)
    others = {"matchExpressions": [{"key": _NAME_LABEL, "operator": "NotIn", "values": [namespace, "kube-system"]}]}
    system = {"matchLabels": {_NAME_LABEL: "kube-system"}}
    yield _webhook("workloads", client, rules) | {"namespaceSelector": others}
    less = [{"name": "not-node-critical", "expression": f"!({_CRITICAL})"}]
    yield _webhook("system", client, rules) | {"namespaceSelector": system, "matchConditions": less}
    pods = tuple(each for each in rules if each[2][0] == "pods")
    critical: Object = {
        "namespaceSelector": system,
        "matchConditions": [{"name": "node-critical", "expression": _CRITICAL}],
        "failurePolicy": "Ignore",
    }
    yield _webhook("node-critical", client, pods) | critical


def _client(namespace: str, service: str, path: str) -> Object:
    return {"service": {"name": service, "namespace": namespace, "path": path, "port": 443}}


def _webhook(name: str, client: Object, rules: Sequence[_Rule]) -> Object:
    return {
        "name": f"{name}.admission.casemate.dev",
        "clientConfig": client,
        "rules": [_rule(each) for each in rules],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "timeoutSeconds": SECONDS,
    }


def _rule(rule: _Rule) -> Object:
    group, version, resources, operations = rule
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": list(resources),
        "operations": list(operations),
        "scope": "*",
    }


_COMPARED: Final = (
    "rules",
    "failurePolicy",
    "matchPolicy",
    "namespaceSelector",
    "objectSelector",
    "matchConditions",
)


def gaps(expected: Object, found: Object) -> list[str]:
    """What a configuration of the cluster lacks: webhooks that are missing, and fields that differ.

    Rules may be more than expected; everything else that narrows what is asked about has to be as expected.
    """
    known = {str(each.get("name")): each for each in _webhooks(found)}
    lacks = []
    for each in _webhooks(expected):
        name = str(each["name"])
        if name not in known:
            lacks.append(f"{name} is missing")
        else:
            lacks += [f"{name}: {field} differs" for field in _COMPARED if _differs(each, known[name], field)]
    return lacks


def _webhooks(configuration: Object) -> list[Object]:
    webhooks = configuration.get("webhooks")
    return [each for each in webhooks if isinstance(each, dict)] if isinstance(webhooks, list) else []


def _differs(expected: Object, found: Object, field: str) -> bool:
    wanted, given = expected.get(field) or [], found.get(field) or []
    if field != "rules":
        return wanted != given
    rules = given if isinstance(given, list) else []
    return any(each not in rules for each in (wanted if isinstance(wanted, list) else []))
