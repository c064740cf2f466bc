"""The definitions of casemate's own objects: structural schemas, CEL rules, columns, status.

What a schema cannot say (a name beside an object in `permitted`, whether classes exist, how policies fit together) the
webhook checks when the object is written. Fields that the schema does not know are kept: the API server would drop them
without a word, and a policy with a misspelt condition would be another policy (CVE-2025-29778); kept, they make the
webhook refuse it, or what it could be about if it is there already.
"""

from __future__ import annotations

from typing import Any

from casemate.model.boundary import Boundary
from casemate.model.policy import EXCEPTABLE, Part, Right, Rule

Schema = dict[str, Any]

_BOUNDARIES = [str(each) for each in Boundary if each is not Boundary.UNKNOWN]
_PARTS = [each.value for each in Part]
_RIGHTS = [each.value for each in Right]
_EXCEPTABLE = [each.value for each in Rule if each in EXCEPTABLE]
_NAME = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


def _text(most: int = 253, **more: Any) -> Schema:
    return {"type": "string", "maxLength": most, **more}


def _texts(description: str, most: int = 256, **more: Any) -> Schema:
    items = _text(512, minLength=1) | more
    return {
        "type": "array",
        "description": description,
        "maxItems": most,
        "x-kubernetes-list-type": "set",
        "items": items,
    }


def _labels(description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "maxProperties": 64,
        "additionalProperties": _text(63),
    }


def _object(properties: Schema, description: str = "", **more: Any) -> Schema:
    said = {"description": description} if description else {}
    return {"type": "object", **said, "properties": properties, "x-kubernetes-preserve-unknown-fields": True, **more}


_EXPRESSION = _object(
    {
        "key": _text(317, minLength=1),
        "operator": {"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
        "values": {"type": "array", "maxItems": 64, "items": _text(63)},
    },
    required=["key", "operator"],
    **{
        "x-kubernetes-validations": [
            {
                "rule": "(self.operator in ['In', 'NotIn']) == (size(self.?values.orValue([])) > 0)",
                "message": "In and NotIn take values, Exists and DoesNotExist take none",
            }
        ]
    },
)


def _match(description: str) -> Schema:
    namespaces = _object(
        {
            "names": _texts("Whole names.", 1024, pattern=_NAME),
            "labels": _labels("Labels that the namespace has to have."),
            "expressions": {"type": "array", "maxItems": 16, "items": _EXPRESSION},
        },
        "Namespaces by name and by labels; both must hold when both are given.",
    )
    return _object(
        {
            "namespaces": namespaces,
            "podLabels": _labels("Labels that the Pod has to have."),
            "serviceAccounts": _texts("NAMESPACE/NAME, or NAME in whatever namespace the Pod is in."),
            "users": _texts("Judged on what a person submits, not on what controllers make of it."),
            "groups": _texts("As for users."),
            "images": _texts("ghcr.io/acme/web, with a tag or digest, or ghcr.io/acme/** for all below a path."),
            "kinds": _texts("Kinds of the object, such as Deployment."),
        },
        description,
    )


_PERMITTED: Schema = {
    "type": "array",
    "maxItems": 64,
    "description": "Classes that Pods may have: a name, or one of {name}, {boundary: '>=vm'}, {labels} of the "
    "RuntimeClass, with the sandbox annotations that go with it. Absent: every class. Unset is a class too: "
    "that of the node's default handler.",
    "items": {"x-kubernetes-preserve-unknown-fields": True},
}


def _policy_spec(*, narrowing: bool) -> Schema:
    match = _match("Which Pods; an absent condition holds for all.")
    if narrowing:
        match["x-kubernetes-validations"] = [
            {"rule": "!has(self.namespaces)", "message": "it is about its own namespace alone"}
        ]
    spec = {
        "match": match,
        "default": _text(pattern=f"({_NAME})|^$", description="The class that Pods get which name none."),
        "permitted": _PERMITTED,
        "rbac": {
            "type": "string",
            "enum": _RIGHTS,
            "description": "use: the Pod's own service account must have the right to use its class (RBAC: verb use on "
            "runtimeclasses.node.k8s.io). Unset needs none.",
        },
        "minimum": {"type": "string", "enum": ["", *_BOUNDARIES, "need"], "description": "need: what assess says."},
        "hardening": _object(
            {
                "below": {"type": "string", "enum": _BOUNDARIES[1:]},
                "require": _texts("What every container has to have.", len(_PARTS), enum=_PARTS) | {"minItems": 1},
            },
            "What must hold behind a boundary below that one.",
            required=["below", "require"],
        ),
        "upgrade": {"type": "boolean", "description": "Replace a weaker class that is not permitted by the default."},
        "fit": {
            "type": "string",
            "enum": ["deny", "warn"],
            "description": "For classes that have no node or break it.",
        },
        "mode": {"type": "string", "enum": ["audit", "warn", "enforce"], "description": "enforce, when absent."},
    }
    rules = [
        {
            "rule": "!self.?upgrade.orValue(false) || self.?default.orValue('') != ''",
            "message": "upgrade needs a default to upgrade to",
        },
    ]
    return _object(spec, "What the policy says.", **{"x-kubernetes-validations": rules})


_CONDITIONS: Schema = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": _object(
        {
            "type": _text(316),
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": _text(1024),
            "message": _text(32768),
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "observedGeneration": {"type": "integer", "format": "int64"},
        },
        required=["type", "status", "reason", "message", "lastTransitionTime"],
    ),
}
_STATUS: Schema = _object(
    {"observedGeneration": {"type": "integer", "format": "int64"}, "conditions": _CONDITIONS},
    "What casemate makes of it.",
)
_ACCEPTED = {"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Accepted')].status"}
_SOUND = {"name": "Sound", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Sound')].status"}
_FOUND = {"name": "Found", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Sound')].reason", "priority": 1}
_BITES = {"name": "Bites", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Bites')].status"}
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_POLICY_COLUMNS = [
    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
    {"name": "Default", "type": "string", "jsonPath": ".spec.default"},
    {"name": "Minimum", "type": "string", "jsonPath": ".spec.minimum"},
    _ACCEPTED,
    _SOUND,
    _BITES,
    _FOUND,
    _AGE,
]


def _exception_spec() -> Schema:
    scope = _match("Which Pods; at least one condition.")
    scope["x-kubernetes-validations"] = [
        {
            "rule": "has(self.namespaces) || has(self.podLabels) || has(self.serviceAccounts) || has(self.users) || "
            "has(self.groups) || has(self.images) || has(self.kinds)",
            "message": "an exception for everything is a policy of its own: give a condition",
        }
    ]
    properties = {
        "reason": _text(1024, minLength=1),
        "owner": _text(253, minLength=1),
        "expires": _text(
            40,
            pattern=r"^\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?$",
            description="The last day, or a time with its offset from UTC.",
        ),
        "policies": _texts("The policies that it is about.") | {"minItems": 1},
        "rules": _texts("What it accepts.", 32, enum=_EXCEPTABLE) | {"minItems": 1},
        "scope": scope,
        "permitted": {
            "type": "array",
            "maxItems": 64,
            "description": "The classes for which it accepts rules on classes; an empty name is unset.",
            "items": _text(pattern=f"({_NAME})|^$"),
        },
    }
    required = ["reason", "owner", "expires", "policies", "rules", "scope"]
    return _object(properties, "Who accepted what, why, until when, for which scope.", required=required)


def _definition(kind: str, plural: str, scope: str, short: str, spec: Schema, columns: list[Schema]) -> Schema:
    schema = _object(
        {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _STATUS,
        },
        required=["spec"],
    )
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["casemate"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.casemate.dev"},
        "spec": {"group": "casemate.dev", "scope": scope, "names": names, "versions": [version]},
    }


def definitions() -> list[Schema]:
    """The three CRDs."""
    columns = [
        {"name": "Owner", "type": "string", "jsonPath": ".spec.owner"},
        {"name": "Expires", "type": "string", "jsonPath": ".spec.expires"},
        {"name": "Reason", "type": "string", "jsonPath": ".spec.reason", "priority": 1},
        _ACCEPTED,
        _SOUND,
        _FOUND,
        _AGE,
    ]
    wide, narrow = _policy_spec(narrowing=False), _policy_spec(narrowing=True)
    return [
        _definition("IsolationPolicy", "isolationpolicies", "Cluster", "isopol", wide, _POLICY_COLUMNS),
        _definition(
            "NamespacedIsolationPolicy",
            "namespacedisolationpolicies",
            "Namespaced",
            "nsisopol",
            narrow,
            _POLICY_COLUMNS,
        ),
        _definition("IsolationException", "isolationexceptions", "Cluster", "isoexc", _exception_spec(), columns),
    ]
