"""Which class a workload is given, as variables (`casemate.policy.choice`), and the patch that gives it.

1. `chosen` is the number of the policy whose default stands in the end, or -1: of the matching policies that enforce,
   the first by number. A default does not count where an exception wants Pods to stay without a class.
2. A class that one of them does not permit, and no exception accepts, is replaced when it is weaker, known, and the
   policy has `upgrade`.
3. Moving from A to B removes A's overhead and the node selectors that A brought: the RuntimeClass
   plugin stamped them before, and would refuse B for them (plugin/pkg/admission/runtimeclass).
4. Pods and Jobs change when they are created only. A ReplicaSet of a Deployment is left as it is and judged as changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from casemate.model.boundary import Boundary
from casemate.model.policy import Mode, Policy, Rule
from casemate.policy.classes import ClassFacts
from casemate.policy.compile import cel, exempting, facts
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.tables import Tables

_OWNERS = "dyn(object).metadata.ownerReferences"
LEFT_AS_IT_IS = (
    f"(request.kind.kind == 'ReplicaSet' && has({_OWNERS})"
    f" && {_OWNERS}.exists(o, o.kind == 'Deployment' && has(o.controller) && o.controller))"
)
"""Whether the object is a ReplicaSet of a Deployment."""


def changes(tables: Tables) -> bool:
    """Whether any policy changes anything."""
    return any(_has_default(each) for each in tables.policies)


def variables(tables: Tables, held: str) -> tuple[Variable, ...]:
    """`chosen`, and the tables that it takes. `held` are the exceptions that count."""
    unset, weaker = "variables.unsetChoices", "variables.upgradeChoices"
    chosen = f"variables.class == '' ? {_first(unset)} : {_first(weaker)}"
    return (
        Variable("defaults", cel.texts(each.spec.default for each in tables.policies)),
        Variable("permitted", cel.text_lists(tables.permitted(each) for each in tables.policies)),
        Variable("unsetChoices", _unset(tables, held)),
        Variable("upgradeChoices", _upgrade(tables, held)),
        Variable("chosen", chosen),
    )


def _first(numbers: str) -> str:
    return f"(size({numbers}) > 0 ? {numbers}.min() : -1)"


def _has_default(policy: Policy) -> bool:
    return policy.spec.mode is Mode.ENFORCE and bool(policy.spec.default)


def _unset(tables: Tables, held: str) -> str:
    counting = f"i in {cel.numbers(tables.numbers(_has_default))}"
    if tables.exceptions:
        counting += f" && !({exempting.leaves_unset(held)})"
    return f"variables.matching.filter(i, {counting})"


def _upgrade(tables: Tables, held: str) -> str:
    """Policies with `upgrade` to whose default the current class gives way."""
    upgrading = tables.numbers(lambda each: _has_default(each) and each.spec.upgrade)
    if not upgrading:
        return "dyn([])"
    refused = f"!({permits(tables)})"
    if tables.exceptions:
        refused += f" && !({exempting.accepted(held, Rule.CLASS_NOT_PERMITTED, 'variables.class')})"
    enforcing = cel.numbers(tables.of_mode(Mode.ENFORCE))
    stronger = cel.text_lists(weaker(tables, each) for each in tables.policies)
    some = f"variables.matching.exists(i, i in {enforcing} && {refused})"
    better = f"variables.matching.filter(i, i in {cel.numbers(upgrading)} && variables.class in {stronger}[i])"
    return f"{some} ? {better} : []"


def permits(tables: Tables, name: str = "variables.class") -> str:
    """Whether policy `i` permits a class."""
    free = tables.numbers(lambda each: each.spec.permitted is None)
    return f"i in {cel.numbers(free)} || {name} in variables.permitted[i]"


def weaker(tables: Tables, policy: Policy) -> list[str]:
    """The classes that are known to be weaker than the policy's default."""
    if not policy.spec.default:
        return []
    strength = tables.facts(policy.spec.default).boundary
    return tables.names(lambda each: bool(each.name) and Boundary.UNKNOWN < each.boundary < strength)


def condition(tables: Tables) -> str:
    """What a request must be for anything to change, the most telling first. Match conditions see no variables."""
    now, before = facts.template("object"), facts.template("oldObject")
    weaker_ones = {name for each in tables.policies if each.spec.upgrade for name in weaker(tables, each)}
    name = f"({now}).spec.runtimeClassName"
    unset = f"!has({name}) || {name} in {cel.texts(('', *sorted(weaker_ones)))}"
    rewritten = f"request.operation == 'CREATE' || ({now}) != ({before})"
    return cel.both(unset, rewritten, f"!{LEFT_AS_IT_IS}")


def patch(tables: Tables) -> tuple[tuple[Variable, ...], str]:
    """Variables and the expression of the JSON Patch that gives the chosen class (rule 3)."""
    branches = "".join(
        f"request.kind.kind == {cel.text(kind)} ? {cel.text(pointer)} : " for kind, pointer in facts.POINTERS.items()
    )
    path = Variable("path", f"{branches}{cel.text(facts.COMMON)}")
    add = (
        "[JSONPatch{op: 'add', path: variables.path + '/runtimeClassName',"
        " value: variables.defaults[variables.chosen]}]"
    )
    if not any(_has_default(each) and each.spec.upgrade for each in tables.policies):
        return (path,), f"variables.chosen < 0 ? [] : {add}"
    leaving = " + ".join(_leaving())
    brought = tuple(_brought(tables))
    return (path, *brought), f"variables.chosen < 0 ? [] : {add} + (variables.class == '' ? [] : {leaving})"


def _brought(tables: Tables) -> Iterator[Variable]:
    """What each class brings: `selectors`, `key=value` by class, and `tolerations` as texts."""
    bringing = [each for each in tables.classes if each.name]
    selectors = (f"{cel.text(each.name)}: {cel.texts(_selector(each))}" for each in bringing)
    yield Variable("selectors", f"{{{', '.join(selectors)}}}")


def _selector(of: ClassFacts) -> list[str]:
    return [f"{key}={value}" for key, value in of.selector.items()]


def _leaving() -> Iterator[str]:
    """Patches that remove what the old class brought."""
    spec = "variables.spec"
    yield f"(has({spec}.overhead) ? [JSONPatch{{op: 'remove', path: variables.path + '/overhead'}}] : [])"
    yield (
        f"(has({spec}.nodeSelector) && variables.class in variables.selectors ? {spec}.nodeSelector.filter(k,"
        f" (k + '=' + {spec}.nodeSelector[k]) in variables.selectors[variables.class])"
        ".map(k, JSONPatch{op: 'remove', path: variables.path + '/nodeSelector/' + jsonpatch.escapeKey(k)}) : [])"
    )
