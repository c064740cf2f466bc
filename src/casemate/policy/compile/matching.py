"""Which policies and exceptions are about a request, as variables.

1. Candidates are those that the index finds (`casemate.policy.compile.selection`); of them those hold whose remaining
   clauses do. Both are lists of numbers.
2. Pods of kube-system that nodes need are judged only by policies that name that namespace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from casemate.model.policy import Policy
from casemate.policy.compile import cel
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.facts import NEW, Side
from casemate.policy.compile.selection import Index

_SYSTEM: Final = "kube-system"


def candidates(name: str, found: Index) -> tuple[Variable, ...]:
    """`variables.<name>`: the numbers of selections that may hold in the request's namespace."""
    variables: list[Variable] = []
    terms: list[str] = []
    if found.by_name:
        tables, term = cel.lookup(f"{name}ByName", found.by_name, "request.namespace")
        variables += tables
        terms.append(term)
    for number, (key, values) in enumerate(sorted(found.by_label.items())):
        tables, term = cel.lookup(f"{name}ByLabel{number}x", values, f"variables.namespaceLabels[{cel.text(key)}]")
        variables += tables
        terms.append(f"({cel.text(key)} in variables.namespaceLabels ? {term} : [])")
    if found.always:
        terms.append(cel.numbers(found.always))
    return (*variables, Variable(name, " + ".join(terms) or "dyn([])"))


def holding(side: Side, name: str, candidates: str, found: Index, also: str = "") -> tuple[Variable, ...]:
    """`variables.<name>`: the candidates whose remaining clauses hold (rule 1), and `also` of `i`."""
    every = [each.every for each in found.rest]
    never = [each.never for each in found.rest]
    atoms = side.variable("atoms")
    variables: list[Variable] = []
    conditions: list[str] = []
    if any(every):
        variables.append(Variable(f"{name}Every", cel.clauses(every)))
        conditions.append(f"variables.{name}Every[i].all(clause, clause.exists(each, each in {atoms}))")
    if any(never):
        variables.append(Variable(f"{name}Never", cel.text_lists(never)))
        conditions.append(f"!variables.{name}Never[i].exists(each, each in {atoms})")
    conditions += [also] if also else []
    kept = f".filter(i, {cel.both(*conditions)})" if conditions else ""
    return (*variables, Variable(side.name(name), f"variables.{candidates}{kept}"))


def not_exempt(policies: Sequence[Policy]) -> str:
    """Whether policy `i` judges the Pod although nodes may need it (rule 2)."""
    naming = [number for number, each in enumerate(policies) if _names_system(each)]
    spec = NEW.variable("spec")
    critical = f"has({spec}.priorityClassName) && {spec}.priorityClassName == 'system-node-critical'"
    return f"request.namespace != '{_SYSTEM}' || !({critical}) || i in {cel.numbers(naming)}"


def _names_system(policy: Policy) -> bool:
    namespaces = policy.spec.match.namespaces
    return policy.namespace == _SYSTEM or (namespaces is not None and _SYSTEM in namespaces.names)
