"""Policies as the API server's own admission policies (admissionregistration.k8s.io/v1): a fixed number of objects.

1. One MutatingAdmissionPolicy sets defaults, one ValidatingAdmissionPolicy for each mode in use refuses, warns or
   records; each has one binding. More policies, classes or namespaces make tables longer, not objects more, as the
   cost of a request grows with bindings and parameters (kubernetes/kubernetes#133383).
2. Tables are literals in the expressions: the API server folds them once, where a parameter object would be converted
   for every request; and policies from disk may have no parameters (KEP-5793).
3. `failurePolicy: Fail`: what cannot be evaluated is refused. The own namespace is left out by selector; where all
   policies ask for one label or for names, so are all other namespaces, which then cost nothing.
4. A mutation makes the API server run all mutating plugins again, even when it changes nothing. So match conditions
   leave out what it cannot change.
5. ValidatingAdmissionPolicy is v1 since Kubernetes 1.30, MutatingAdmissionPolicy since 1.36 (KEP-3488, KEP-3962).
   Before 1.36 defaults are left to the webhook, which is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from casemate.errors import InputError
from casemate.model.policy import Mode, Policy
from casemate.policy.compile import (
    anchors,
    cel,
    choice,
    cost,
    exempting,
    facts,
    gaps,
    matching,
    rights,
    selection,
    verdicts,
)
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.estimate import Size
from casemate.policy.compile.gaps import Gap
from casemate.policy.compile.objects import Object, part
from casemate.policy.compile.tables import Tables

API_VERSION: Final = "admissionregistration.k8s.io/v1"
NAME: Final = "casemate-isolation"
MUTATING_SINCE: Final = (1, 36)
VALIDATING_SINCE: Final = (1, 30)
_ACTIONS: Final = {Mode.ENFORCE: "Deny", Mode.WARN: "Warn", Mode.AUDIT: "Audit"}
_TEMPLATED: Final = (
    ("", ("replicationcontrollers", "podtemplates")),
    ("apps", ("deployments", "statefulsets", "daemonsets", "replicasets")),
    ("batch", ("cronjobs",)),
)
_ONCE: Final = (("", ("pods",)), ("batch", ("jobs",)))
_SUBRESOURCES: Final = ("pods/ephemeralcontainers", "pods/resize")
_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_RECONFIGURING: Final = 16  # annotations of a sandbox that a Pod is expected to have at most
_GAPS: Final = "casemate.dev/gaps"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The objects to apply, and what they do otherwise than the evaluator."""

    objects: tuple[Object, ...]
    gaps: tuple[Gap, ...] = ()


def compile(made: Tables, *, partial: bool, version: str) -> Compiled:  # noqa: A001
    """The admission policies that do what the documents of these tables say.

    `version` is the cluster's, such as `1.36`. Raises `RefusedError` when something would be left open and `partial` is
    not set, `InputError` when it would pass the API server's limits.
    """
    parsed = parse_version(version)
    found = (*gaps.of_cel(made), *gaps.of_authorizers(made), *_gaps(made, parsed))
    if not partial:
        gaps.refuse(found, "Kubernetes by itself")
    return _compiled(made, parsed, found)


def compile_for(engine: str, made: Tables, *, partial: bool, version: str) -> Compiled:
    """The same for an engine that evaluates these expressions in a webhook of its own.

    It sets defaults whatever the cluster's version is, and its expressions have no authorizer to ask what a service
    account may do.
    """
    parse_version(version)
    found = (*gaps.of_cel(made), *gaps.without_authorizers(made), *_gaps(made, MUTATING_SINCE))
    if not partial:
        gaps.refuse(found, engine)
    return _compiled(made.without_rights(), MUTATING_SINCE, found)


def _compiled(made: Tables, version: tuple[int, int], found: tuple[Gap, ...]) -> Compiled:
    objects = _objects(made, version)
    found_by = selection.index([selection.of_policy(each) for each in made.policies])
    for each in objects:
        cost.check(each, {"candidates": Size(found_by.most), "asked": Size(_RECONFIGURING)})
    return Compiled(tuple(_marked(each, found) for each in objects), found)


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor version. Raises `InputError`."""
    major, _, minor = text.removeprefix("v").partition(".")
    minor = minor.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        raise InputError(f"{text!r} is no version of Kubernetes", fix="write it as 1.36")
    found = int(major), int(minor)
    if found < VALIDATING_SINCE:
        raise InputError(
            f"Kubernetes {text} has no admission policies of its own",
            fix="they are v1 since 1.30; use `casemate admit`",
        )
    return found


def _gaps(made: Tables, version: tuple[int, int]) -> Iterator[Gap]:
    if version < MUTATING_SINCE:
        for each in made.policies:
            if each.spec.default and each.spec.mode is Mode.ENFORCE:
                what = (
                    "Kubernetes sets nothing by itself before 1.36: the webhook has to, or what is unset is judged so"
                )
                yield Gap(each.title, "default", what, each.where, open=True)
    what = "custom resources are not searched for Pod templates; the Pods that are made of them are judged"
    yield Gap("", "custom resources", what)


def _objects(made: Tables, version: tuple[int, int]) -> list[Object]:
    objects: list[Object] = []
    if choice.changes(made) and version >= MUTATING_SINCE:
        objects += _mutating(made)
    for mode, action in _ACTIONS.items():
        if made.of_mode(mode):
            objects += _validating(made, mode, action)
    return [*objects, *_guarding(made)]


def _mutating(made: Tables) -> list[Object]:
    more, patch = choice.patch(made)
    held = "variables.applying"
    variables = (*_common(made, (facts.NEW,)), *choice.variables(made, held), *more)
    rules = [
        *(_rule(group, resources, ("CREATE",)) for group, resources in _ONCE),
        *(_rule(group, resources, ("CREATE", "UPDATE")) for group, resources in _TEMPLATED),
    ]
    changing = [each for each in made.policies if each.spec.mode is Mode.ENFORCE and each.spec.default]
    spec: Object = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": _constraints(rules, changing, made),
        "matchConditions": [{"name": "class-to-be-given", "expression": choice.condition(made)}],
        "variables": _written(variables, patch),
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    return [
        _object("MutatingAdmissionPolicy", NAME, spec),
        _object("MutatingAdmissionPolicyBinding", NAME, {"policyName": NAME}),
    ]


def _validating(made: Tables, mode: Mode, action: str) -> list[Object]:
    name = f"{NAME}-{mode}"
    judging = verdicts.Judging(made, mode)
    variables = (
        *_common(made, (facts.NEW, facts.OLD)),
        *(exempting.in_force(made) if made.exceptions else ()),
        *(choice.variables(made, verdicts.HELD) if choice.changes(made) else ()),
        *verdicts.denials(judging),
        *rights.variables(judging),
    )
    granted = list(rights.validations(judging))
    roots = ("variables.denials", *(str(each["expression"]) for each in granted))
    rules = [
        *(_rule(group, resources, ("CREATE", "UPDATE")) for group, resources in (*_ONCE, *_TEMPLATED)),
        _rule("", _SUBRESOURCES, ("UPDATE",)),
    ]
    spec: Object = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(rules, judging.policies, made),
        "matchConditions": [{"name": "worth-judging", "expression": verdicts.worth_judging(made, mode)}],
        "variables": _written(variables, *roots),
        "validations": [
            {
                "expression": "size(variables.denials) == 0",
                "messageExpression": cost.message("variables.denials"),
                "message": "casemate: an isolation policy refuses this workload, for more reasons than fit here",
                "reason": "Forbidden",
            },
            *granted,
        ],
    }
    return [
        _object("ValidatingAdmissionPolicy", name, spec),
        _object("ValidatingAdmissionPolicyBinding", name, {"policyName": name, "validationActions": [action]}),
    ]


def _guarding(made: Tables) -> list[Object]:
    """The policy that guards what the others rest on."""
    rules = [_rule(group, resources, operations, "Cluster") for group, resources, operations in anchors.RULES]
    validations = [
        {"expression": holds, **({"messageExpression": says} if says else {}), "message": text, "reason": "Forbidden"}
        for holds, says, text in anchors.VALIDATIONS
    ]
    spec: Object = {
        "failurePolicy": "Fail",
        "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": rules},
        "matchConditions": [{"name": "not-a-guardian", "expression": anchors.not_a_guardian(made)}],
        "variables": [{"name": name, "expression": text} for name, text in anchors.variables(made).items()],
        "validations": validations,
    }
    binding: Object = {"policyName": anchors.NAME, "validationActions": ["Deny"]}
    return [
        _object("ValidatingAdmissionPolicy", anchors.NAME, spec),
        _object("ValidatingAdmissionPolicyBinding", anchors.NAME, binding),
    ]


def _common(made: Tables, sides: Iterable[facts.Side]) -> tuple[Variable, ...]:
    """What mutation and validation stand on: the request, and which policies and exceptions are about it."""
    found = selection.index([selection.of_policy(each) for each in made.policies])
    scopes = selection.index(exempting.selections(made))
    asked = [atom for each in (*found.rest, *scopes.rest) for atom in each.atoms]
    variables = [*facts.REQUEST, *matching.candidates("candidates", found)]
    for side in sides:
        variables += (*facts.pod(side), *facts.atoms(side, asked))
        variables += matching.holding(side, "matching", "candidates", found, matching.not_exempt(made.policies))
    return (*variables, *(exempting.applying(made) if made.exceptions else ()))


def _constraints(rules: list[Object], policies: Sequence[Policy], made: Tables) -> Object:
    own = {"key": _NAME_LABEL, "operator": "NotIn", "values": [made.settings.own_namespace]}
    return {
        "matchPolicy": "Equivalent",
        "resourceRules": rules,
        "namespaceSelector": {"matchExpressions": [own, *_narrowed(policies)]},
    }


def _narrowed(policies: Sequence[Policy]) -> Iterator[Object]:
    """What every namespace has that one of the policies may be about, when one label tells it (rule 3)."""
    found = selection.index([selection.of_policy(each) for each in policies])
    if found.always or (found.by_name and found.by_label) or len(found.by_label) > 1:
        return
    for key, values in ((_NAME_LABEL, found.by_name), *found.by_label.items()):
        if values:
            yield {"key": key, "operator": "In", "values": sorted(values)}


def _rule(group: str, resources: Sequence[str], operations: Sequence[str], scope: str = "Namespaced") -> Object:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
        "scope": scope,
    }


def _written(variables: Iterable[Variable], *roots: str) -> list[Object]:
    unique = cel.used({each.name: each.expression for each in variables}, *roots)
    return [{"name": name, "expression": expression} for name, expression in unique.items()]


def _object(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _marked(made: Object, found: Sequence[Gap]) -> Object:
    """The object with what it leaves open written on it."""
    leaving = [str(each) for each in found if each.open]
    if not leaving or str(made["kind"]).endswith("Binding"):
        return made
    return {**made, "metadata": {**part(made, "metadata"), "annotations": {_GAPS: "\n".join(leaving)}}}
