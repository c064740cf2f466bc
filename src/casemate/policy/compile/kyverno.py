"""Policies as Kyverno's CEL types (policies.kyverno.io/v1): a MutatingPolicy and a ValidatingPolicy for each mode.

1. Their `spec` is a superset of the API server's own admission policies, with the action in it and no binding. So they
   are the native ones, expression for expression.
2. Subresources are listed: `pods` alone is not `pods/ephemeralcontainers` (kyverno/kyverno#16275). So are kinds: what
   Kyverno generates for Pod controllers by itself is switched off, as it knows six of them (kyverno/kyverno#16477).
3. Expressions ask who asks and what is asked: there is no such thing in a background scan, which is switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from casemate.policy.compile import native
from casemate.policy.compile.gaps import Gap
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.objects import Object, name_of, spec_of
from casemate.policy.compile.tables import Tables

API_VERSION: Final = "policies.kyverno.io/v1"
_KINDS: Final = {
    "MutatingAdmissionPolicy": "MutatingPolicy",
    "ValidatingAdmissionPolicy": "ValidatingPolicy",
}
_ADMISSION_ONLY: Final = {"admission": {"enabled": True}, "background": {"enabled": False}}
_NO_AUTOGEN: Final[Object] = {"podControllers": {"controllers": []}}
_NEEDS: Final = Gap(
    "", "Kyverno", "its own resource filters and excluded namespaces come before any policy: look at them"
)


def compile(made: Tables, *, partial: bool, version: str) -> Compiled:  # noqa: A001
    """The Kyverno policies that do what the documents of these tables say, for that version of Kubernetes.

    Its defaults are set by webhook, whatever the version. Raises as `casemate.policy.compile.native.compile` does.
    """
    compiled = native.compile_for("Kyverno", made, partial=partial, version=version)
    return Compiled(tuple(_objects(compiled.objects)), (*compiled.gaps, _NEEDS))


def _objects(objects: Sequence[Object]) -> list[Object]:
    actions = {
        spec["policyName"]: spec.get("validationActions") for spec in map(spec_of, objects) if "policyName" in spec
    }
    return [_policy(each, actions) for each in objects if "policyName" not in spec_of(each)]


def _policy(made: Object, actions: dict[object, object]) -> Object:
    kind = _KINDS[str(made["kind"])]
    spec = {**spec_of(made), "evaluation": _ADMISSION_ONLY, "autogen": _NO_AUTOGEN}
    if kind == "ValidatingPolicy":
        spec["validationActions"] = actions[name_of(made)]
    return {**made, "apiVersion": API_VERSION, "kind": kind, "spec": spec}
