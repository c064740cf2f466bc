"""What policies rest on, guarded by a policy of its own (`casemate.policy.anchors`).

1. Guardians may move everything; the match condition leaves them out.
2. Nobody else sets, changes or removes a label of a namespace that a policy or an exception asks for, through whatever
   subresource (CVE-2026-30963), also when the namespace is made.
3. Nobody else makes, removes or re-points a RuntimeClass, or changes a label of one that a policy asks for: the tables
   hold only as long as the classes do.
4. The policies themselves the API server shows to no policy: RBAC guards them. Those that it loads from disk nobody
   changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from casemate.policy.compile import cel
from casemate.policy.compile.tables import Tables

NAME: Final = "casemate-anchors"
_GUARDED: Final = ("handler", "scheduling", "overhead")

RULES: Final = (
    ("", ("namespaces", "namespaces/status", "namespaces/finalize"), ("CREATE", "UPDATE")),
    ("node.k8s.io", ("runtimeclasses",), ("CREATE", "UPDATE", "DELETE")),
)
"""Group, resources and operations."""


def not_a_guardian(tables: Tables) -> str:
    """Whether none of the groups of who asks may move anchors."""
    guardians = cel.texts(tables.settings.guardians)
    return f"!(has(request.userInfo.groups) && request.userInfo.groups.exists(each, each in {guardians}))"


def variables(tables: Tables) -> dict[str, str]:
    """The labels before and after, and which of them that are asked for have moved."""
    return {
        "before": _labels("oldObject"),
        "after": _labels("object"),
        "namespaceMoved": _moved(tables.namespace_keys),
        "classMoved": _moved(tables.class_keys),
        "repointed": " || ".join(f"({_field('object', each)}) != ({_field('oldObject', each)})" for each in _GUARDED),
    }


def _labels(root: str) -> str:
    """The labels of an object, none where there is none: Kyverno says `{}` for it, where the API server says null."""
    labels = f"dyn({root}).metadata.labels"
    return f"{root} != null && has(dyn({root}).metadata) && has({labels}) ? {labels} : {{}}"


def _moved(keys: Iterable[str]) -> str:
    """The keys among these that have another value than before, or had or have none."""
    one, other = "variables.before", "variables.after"
    same = f"(k in {one}) == (k in {other}) && (!(k in {one}) || {one}[k] == {other}[k])"
    return f"{cel.typed(cel.texts(keys))}.filter(k, !({same}))"


def _field(root: str, name: str) -> str:
    return f"has(dyn({root}).{name}) ? dyn({root}).{name} : null"


VALIDATIONS: Final = (
    (
        "request.kind.kind != 'Namespace' || size(variables.namespaceMoved) == 0",
        "'casemate: policies choose namespaces by label ' + variables.namespaceMoved.join(', ')"
        " + '; only guardians may move it [anchor]'",
        "casemate: only guardians may move the labels by which policies choose namespaces [anchor]",
    ),
    (
        "request.kind.kind != 'RuntimeClass' || request.operation == 'UPDATE'",
        "'casemate: policies permit RuntimeClasses; only guardians may ' +"
        " (request.operation == 'CREATE' ? 'make' : 'remove') + ' one [anchor]'",
        "casemate: only guardians may make or remove a RuntimeClass [anchor]",
    ),
    (
        "request.kind.kind != 'RuntimeClass' || request.operation != 'UPDATE'"
        " || (!(variables.repointed) && size(variables.classMoved) == 0)",
        "",
        "casemate: only guardians may change the handler, the scheduling or the overhead of a RuntimeClass, or a label"
        " that policies ask for [anchor]",
    ),
)
"""Expression, message expression and message of each rule."""
