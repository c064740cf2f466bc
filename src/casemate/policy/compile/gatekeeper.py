"""Policies for Gatekeeper: mutators (Assign), and a ConstraintTemplate with its constraint for each mode.

1. Templates use the engine K8sNativeValidation, which is the API server's own validator (pkg/drivers/k8scel): variables
   and validations are the native ones, expression for expression.
2. Mutators match by namespace and by the object's labels only. A policy that asks for more sets no default here: a gap,
   as what is unset then stays so where that is permitted. One that asks for labels of the Pod sets it on Pods alone.
3. Mutators come in the order of their names, and each looks whether a class is there already: the strongest default
   comes first. They set what is unset; a weaker class is not replaced but refused, where it is not permitted.
4. Gatekeeper's webhook lets in what it cannot answer (failurePolicy Ignore) unless its operator says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from casemate.model.policy import Mode, Policy, PolicyException, PolicySettings
from casemate.policy.compile import native
from casemate.policy.compile.gaps import Gap, refuse
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.objects import Object, listed, name_of, part, parts, spec_of
from casemate.policy.compile.tables import Tables

TARGET: Final = "admission.k8s.gatekeeper.sh"
ENGINE: Final = "K8sNativeValidation"
_ACTIONS: Final = {"Deny": "deny", "Warn": "warn", "Audit": "dryrun"}
_PLACES: Final = (
    ("pod", "spec", ("CREATE",), (("", ("Pod",)),)),
    ("job", "spec.template.spec", ("CREATE",), (("batch", ("Job",)),)),
    (
        "controller",
        "spec.template.spec",
        ("CREATE", "UPDATE"),
        (("apps", ("Deployment", "StatefulSet", "DaemonSet")), ("", ("ReplicationController",))),
    ),
    ("cronjob", "spec.jobTemplate.spec.template.spec", ("CREATE", "UPDATE"), (("batch", ("CronJob",)),)),
    ("podtemplate", "template.spec", ("CREATE", "UPDATE"), (("", ("PodTemplate",)),)),
)
_NEEDS: Final = (
    Gap("", "Gatekeeper", "set failurePolicy Fail on its webhooks, or what it cannot answer is let in"),
    Gap(
        "",
        "Gatekeeper",
        "its webhook must see pods/ephemeralcontainers, pods/resize, namespaces/status and"
        " namespaces/finalize, and DELETE (--enable-delete-operations) of RuntimeClasses",
    ),
    Gap("", "Gatekeeper", "its audit knows nobody who asks and no namespace: read its reports with that in mind"),
)


def compile(made: Tables, *, partial: bool, version: str) -> Compiled:  # noqa: A001
    """The objects for Gatekeeper that do what the documents of these tables say. `version` is Kubernetes'.

    Raises as `casemate.policy.compile.native.compile` does.
    """
    native.parse_version(version)
    changing = [each for each in made.policies if each.spec.default and each.spec.mode is Mode.ENFORCE]
    own = tuple(gap for each in changing for gap in _gaps(each, made.exceptions))
    if not partial:
        refuse(own, "Gatekeeper")
    compiled = native.compile_for("Gatekeeper", made, partial=partial, version=version)
    mutators = [one for number, each in enumerate(changing) for one in _assigns(each, number, made.settings)]
    return Compiled((*mutators, *_templates(compiled.objects, made.settings)), (*compiled.gaps, *own, *_NEEDS))


def _gaps(policy: Policy, exceptions: Sequence[PolicyException]) -> Iterator[Gap]:
    if asked := _beyond(policy):
        what = f"mutators do not match by {', '.join(asked)}: the default is not set"
        yield Gap(policy.title, "default", what, policy.where, open=True)
    elif policy.spec.match.podLabels:
        what = "mutators see labels of the object, not of its template: the default is set on Pods alone"
        yield Gap(policy.title, "default", what, policy.where)
    if policy.spec.upgrade:
        what = "a weaker class is not replaced: it is refused where it is not permitted"
        yield Gap(policy.title, "upgrade", what, policy.where)
    if any(policy.title in each.spec.policies and "" in each.spec.permitted for each in exceptions):
        what = "mutators know no exceptions: the default is set where one lets Pods stay without a class"
        yield Gap(policy.title, "default", what, policy.where)


def _beyond(policy: Policy) -> list[str]:
    """The conditions that no mutator has."""
    match = policy.spec.match
    asked = {
        "serviceAccounts": match.serviceAccounts,
        "users": match.users,
        "groups": match.groups,
        "images": match.images,
        "kinds": match.kinds,
    }
    return [name for name, values in asked.items() if values]


def _assigns(policy: Policy, number: int, settings: PolicySettings) -> Iterator[Object]:
    if _beyond(policy):
        return
    for name, path, operations, kinds in _PLACES:
        if policy.spec.match.podLabels and name != "pod":
            continue
        location = f"{path}.runtimeClassName"
        spec: Object = {
            "applyTo": [
                {"groups": [group], "versions": ["v1"], "kinds": list(names), "operations": list(operations)}
                for group, names in kinds
            ],
            "match": _match(policy, settings),
            "location": location,
            "parameters": {
                "assign": {"value": policy.spec.default},
                "pathTests": [{"subPath": location, "condition": "MustNotExist"}],
            },
        }
        metadata = {"name": f"{native.NAME}-{number:03}-{name}"}
        yield {"apiVersion": "mutations.gatekeeper.sh/v1", "kind": "Assign", "metadata": metadata, "spec": spec}


def _match(policy: Policy, settings: PolicySettings) -> Object:
    match = policy.spec.match
    found: Object = {"scope": "Namespaced", "excludedNamespaces": [settings.own_namespace]}
    namespaces = match.namespaces
    names = [policy.namespace] if policy.namespace else list(namespaces.names) if namespaces else []
    if names:
        found["namespaces"] = names
    if namespaces and (namespaces.labels or namespaces.expressions):
        expressions = [
            {"key": each.key, "operator": each.operator, **({"values": list(each.values)} if each.values else {})}
            for each in namespaces.expressions
        ]
        found["namespaceSelector"] = {"matchLabels": dict(namespaces.labels), "matchExpressions": expressions}
    if match.podLabels:
        found["labelSelector"] = {"matchLabels": dict(match.podLabels)}
    return found


def _templates(objects: Sequence[Object], settings: PolicySettings) -> Iterator[Object]:
    """A template and its constraint for each native policy that validates."""
    policies = {name_of(each): each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"}
    for binding in (spec_of(each) for each in objects if each["kind"] == "ValidatingAdmissionPolicyBinding"):
        name, (action, *_) = str(binding["policyName"]), listed(binding, "validationActions")
        kind, constraints = "".join(map(str.capitalize, name.split("-"))), _constraints(policies[name])
        yield _template(kind, policies[name])
        match: Object = {"kinds": _kinds(constraints)}
        if "namespaceSelector" in constraints:
            match["excludedNamespaces"] = [settings.own_namespace]
        constraint: Object = {"enforcementAction": _ACTIONS[action], "match": match}
        yield {
            "apiVersion": "constraints.gatekeeper.sh/v1beta1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": constraint,
        }


def _constraints(policy: Object) -> Object:
    return part(spec_of(policy), "matchConstraints")


def _template(kind: str, policy: Object) -> Object:
    spec = spec_of(policy)
    source = {
        "failurePolicy": "Fail",
        **({"matchCondition": spec["matchConditions"]} if "matchConditions" in spec else {}),
        "variables": spec["variables"],
        "validations": [_validation(each) for each in parts(spec, "validations")],
        "generateVAP": False,
    }
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {**part(policy, "metadata"), "name": kind.lower()},
        "spec": {
            "crd": {"spec": {"names": {"kind": kind}}},
            "targets": [{"target": TARGET, "code": [{"engine": ENGINE, "source": source}]}],
        },
    }


def _validation(written: Object) -> Object:
    return {key: value for key, value in written.items() if key != "reason"}


_RESOURCE_KINDS: Final = {
    "pods": "Pod",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "podtemplates": "PodTemplate",
    "namespaces": "Namespace",
    "runtimeclasses": "RuntimeClass",
}


def _kinds(constraints: Object) -> list[Object]:
    """The kinds of the resources that the native policy matches, by group."""
    found: dict[str, dict[str, None]] = {}
    for rule in parts(constraints, "resourceRules"):
        for resource in listed(rule, "resources"):
            kind = _RESOURCE_KINDS[str(resource).partition("/")[0]]
            found.setdefault(str(listed(rule, "apiGroups")[0]), {})[kind] = None
    return [{"apiGroups": [group], "kinds": list(kinds)} for group, kinds in found.items()]
