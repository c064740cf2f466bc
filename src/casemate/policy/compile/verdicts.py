"""What policies of one mode have against a workload, as variables: `denials` is the list of reasons.

The rules are those of `casemate.policy.judge`, in its order, without the two that CEL cannot tell: what `assess` says
(`minimum: need`) and what would break (`fit`). Rights have validations of their own (`casemate.policy.compile.rights`).

1. Each rule is a table over the numbers of policies and the names of classes. A policy that does not enforce judges of
   the class that it would have given itself.
2. After an update, what the old object violated in the same way is left out: policy, rule, and class, container or
   annotation. An update that leaves the template alone violates nothing.
3. What exceptions accept is left out, by the class that stands there.
4. Most workloads have a class that no policy can have anything against: a match condition tells them, so that they cost
   a tenth of what judging does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from casemate.model.boundary import Boundary
from casemate.model.policy import SANDBOX_ANNOTATIONS, Mode, Policy, Rule
from casemate.policy.classes import ClassFacts
from casemate.policy.compile import cel, choice, exempting, facts, hardening
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.facts import NEW, OLD, Side
from casemate.policy.compile.tables import Tables
from casemate.policy.judge import NEED
from casemate.policy.permitted import compiled

_UPDATED: Final = "request.operation == 'UPDATE'"
_ABLE: Final = f"!({_UPDATED} && request.kind.kind in ['Pod', 'Job'])"
_UNTOUCHED: Final = " && ".join(
    f"variables.{name} == {OLD.variable(name)}" for name in ("spec", "labels", "annotations")
)
_MIRROR: Final = (
    "request.kind.kind == 'Pod' && variables.asker == 'node' && 'kubernetes.io/config.mirror' in variables.annotations"
)
_RECONFIGURES: Final = " || ".join(f"k.startsWith({cel.text(each)})" for each in SANDBOX_ANNOTATIONS)
HELD: Final = "variables.inForce"


@dataclass(frozen=True, slots=True)
class Judging:
    """The policies of one mode among the tables."""

    tables: Tables
    mode: Mode

    @property
    def policies(self) -> list[Policy]:
        """Those of the mode."""
        return [each for each in self.tables.policies if each.spec.mode is self.mode]

    def name(self, side: Side) -> str:
        """The class of which policy `i` judges on one side (rule 1)."""
        standing = "variables.final" if side is NEW else side.variable("class")
        if not self.gives:
            return standing
        return f"(i in {side.variable('giving')} ? variables.defaults[i] : {standing})"

    @property
    def gives(self) -> bool:
        """Whether one of its policies would give its own default, without enforcing it."""
        return self.mode is not Mode.ENFORCE and any(each.spec.default for each in self.policies)

    def variables(self) -> Iterator[Variable]:
        """What the rules stand on: the class, and the policies that judge."""
        yield Variable("defaults", cel.texts(each.spec.default for each in self.tables.policies))
        yield Variable("permitted", cel.text_lists(self.tables.permitted(each) for each in self.tables.policies))
        chosen = f"variables.chosen >= 0 && {choice.LEFT_AS_IT_IS}"
        changing = choice.changes(self.tables)
        yield Variable(
            "final",
            f"{chosen} ? variables.defaults[variables.chosen] : variables.class" if changing else "variables.class",
        )
        yield Variable("judging", f"variables.matching.filter(i, i in {cel.numbers(self.tables.of_mode(self.mode))})")
        yield Variable("titles", cel.texts(each.title for each in self.tables.policies))
        if self.gives:
            yield self._giving(NEW, "variables.final")
            yield self._giving(OLD, OLD.variable("class"))

    def _giving(self, side: Side, standing: str) -> Variable:
        """The policies that would have given their own default (`casemate.policy.choice`)."""
        tables = self.tables
        having = cel.numbers(tables.numbers(lambda each: each.spec.mode is self.mode and bool(each.spec.default)))
        upgrading = cel.numbers(tables.numbers(lambda each: each.spec.mode is self.mode and each.spec.upgrade))
        unset, refused = f"{standing} == ''", f"!({choice.permits(tables, standing)})"
        if tables.exceptions:
            unset += f" && !({exempting.leaves_unset(HELD)})"
            refused += f" && !({exempting.accepted(HELD, Rule.CLASS_NOT_PERMITTED, standing)})"
        weaker = f"{standing} in {cel.text_lists(choice.weaker(tables, each) for each in tables.policies)}[i]"
        upgraded = cel.both(f"{standing} != ''", f"i in {upgrading}", refused, weaker)
        gives = f"i in {having} && ({unset} || {upgraded})"
        return Variable(side.name("giving"), f"{_ABLE} ? {side.variable('matching')}.filter(i, {gives}) : []")

    def unchanged(self) -> str:
        """Whether policy `i` judged of the same class before the update (rule 2)."""
        return f"{_UPDATED} && i in {OLD.variable('matching')} && {self.name(NEW)} == {self.name(OLD)}"

    def accepted(self, rule: Rule) -> str:
        """Whether exceptions accept the rule's violation of policy `i` (rule 3)."""
        return exempting.accepted(HELD, rule, "variables.final") if self.tables.exceptions else "false"

    def reasons(self, rule: Rule, condition: str, message: str) -> str:
        """The reasons of one rule: of the policies that judge, those for which the condition holds of `i`."""
        holds = cel.both(condition, f"!({self.accepted(rule)})" if self.tables.exceptions else "true")
        text = f"variables.titles[i] + ': ' + {message} + {cel.text(f' [{rule}]')}"
        return f"variables.judging.filter(i, {holds}).map(i, {text})"


@dataclass(frozen=True, slots=True)
class _Term:
    """One rule: the variables of its tables, and the one that lists its reasons."""

    variables: tuple[Variable, ...]
    reasons: Variable


def worth_judging(tables: Tables, mode: Mode) -> str:
    """Whether any policy of the mode may have anything against a workload: cheap, and without variables.

    A class that all of them permit, that reaches every minimum, needs no hardening anywhere and does not lie is fine,
    where no annotation reconfigures its sandbox.
    """
    policies = [each for each in tables.policies if each.spec.mode is mode]
    fine = cel.texts(each.name for each in tables.classes if _fine(tables, policies, each))
    template = f"({facts.template('object')})"
    named = f"has({template}.spec.runtimeClassName) && {template}.spec.runtimeClassName in {fine}"
    annotations = f"{template}.metadata.annotations"
    plain = f"!has({template}.metadata) || !has({annotations}) || !{annotations}.exists(k, {_RECONFIGURES})"
    return f"!({named} && ({plain}))"


def _fine(tables: Tables, policies: Sequence[Policy], of: ClassFacts) -> bool:
    if not of.name or of.lies or of.missing:
        return False
    return all(
        of.name in tables.permitted(each)
        and (each.spec.minimum in ("", NEED) or of.name in tables.reaching(each.spec.minimum))
        and each.spec.rbac is None
        and (each.spec.hardening is None or of.name in tables.reaching(each.spec.hardening.below))
        for each in policies
    )


def denials(judging: Judging) -> tuple[Variable, ...]:
    """The variables, of which the last is `denials`."""
    terms = tuple(_terms(judging))
    reasons = " + ".join(f"variables.{term.reasons.name}" for term in terms)
    return (
        *judging.variables(),
        *(variable for term in terms for variable in (*term.variables, term.reasons)),
        Variable("denials", f"size(variables.judging) == 0 || {is_let_be()} ? [] : {reasons}"),
    )


def is_let_be() -> str:
    """Whether a workload is allowed whatever there is against it: it runs already, or an update leaves it alone."""
    return f"({_MIRROR}) || ({_UPDATED} && {_UNTOUCHED})"


def _terms(judging: Judging) -> Iterator[_Term]:
    policies = judging.policies
    if any(each.spec.permitted is not None for each in policies):
        yield from _permitted(judging)
    if judging.tables.complete:
        yield _missing(judging)
    if any(each.lies for each in judging.tables.classes):
        yield _lying(judging)
    if any(each.spec.minimum not in ("", NEED) for each in policies):
        yield _minimum(judging)
    yield _annotations(judging)
    if any(each.spec.hardening for each in policies):
        yield _hardening(judging)


def _permitted(judging: Judging) -> Iterator[_Term]:
    tables, name = judging.tables, judging.name(NEW)
    refused = cel.both(f"!({judging.unchanged()})", f"!({choice.permits(tables, name)})")
    unset = judging.reasons(
        Rule.CLASS_UNSET, f"{name} == '' && {refused}", "'no class is set, and unset is not permitted'"
    )
    named = judging.reasons(
        Rule.CLASS_NOT_PERMITTED, f"{name} != '' && {refused}", f"'class ' + {name} + ' is not permitted'"
    )
    yield _Term((), Variable("notPermitted", f"{unset} + {named}"))


def _missing(judging: Judging) -> _Term:
    known, name = cel.texts(judging.tables.names(lambda each: not each.missing)), judging.name(NEW)
    condition = cel.both(f"!({judging.unchanged()})", f"!({name} in {known})")
    reasons = judging.reasons(Rule.CLASS_UNKNOWN, condition, f"'there is no RuntimeClass ' + {name}")
    return _Term((), Variable("unknown", reasons))


def _lying(judging: Judging) -> _Term:
    lying, name = cel.texts(judging.tables.names(lambda each: bool(each.lies))), judging.name(NEW)
    condition = cel.both(f"!({judging.unchanged()})", f"{name} in {lying}")
    message = f"'the name of class ' + {name} + ' promises more than its handler gives'"
    return _Term((), Variable("mismatched", judging.reasons(Rule.CLASS_MISMATCH, condition, message)))


def _minimum(judging: Judging) -> _Term:
    tables, name = judging.tables, judging.name(NEW)
    asking = tables.numbers(lambda each: each.spec.minimum not in ("", NEED))
    table = cel.text_lists(
        tables.reaching(each.spec.minimum) if number in asking else [] for number, each in enumerate(tables.policies)
    )
    minimums = Variable("minimums", cel.texts(each.spec.minimum for each in tables.policies))
    variables = [Variable("reaching", table), minimums]
    earned = old_earned = "false"
    hardened = tables.numbers(lambda each: each.spec.minimum == str(Boundary.HARDENED))
    if hardened:
        shared = cel.texts(tables.names(lambda each: each.boundary is Boundary.SHARED))
        earning = f"i in {cel.numbers(hardened)} && {{name}} in {shared} && size({{lacks}}) == 0"
        earned = earning.format(name=name, lacks=NEW.variable("lacks"))
        old_earned = earning.format(name=judging.name(OLD), lacks=OLD.variable("lacks"))
        variables += [hardening.lacks(NEW), hardening.lacks(OLD)]
    condition = cel.both(
        f"i in {cel.numbers(asking)}",
        f"!({name} in variables.reaching[i])",
        f"!({earned})",
        f"!({judging.unchanged()} && !({old_earned}))",
    )
    message = (
        f"({name} == '' ? 'no class' : 'class ' + {name}) + ' does not reach the boundary ' + variables.minimums[i]"
    )
    return _Term(tuple(variables), Variable("belowMinimum", judging.reasons(Rule.BELOW_MINIMUM, condition, message)))


def _annotations(judging: Judging) -> _Term:
    """Annotations of sandboxes that no entry which permits the class lists."""
    tables = judging.tables
    listed: dict[str, list[str]] = {}
    for number, policy in enumerate(tables.policies):
        entries = compiled(policy.spec.permitted).entries or ()
        for each in tables.classes:
            if patterns := [one for test, entry in entries if test(each) for one in entry.annotations]:
                listed[f"{number}/{each.name}"] = patterns
    table = ", ".join(f"{cel.text(key)}: {cel.texts(patterns)}" for key, patterns in listed.items())
    variables = [Variable("listed", f"{{{table}}}")] if listed else []
    variables.append(_asked(NEW))
    unlisted = _unlisted(judging, NEW, known=bool(listed))
    before = (
        f"{_UPDATED} && i in {OLD.variable('matching')} && k in {OLD.variable('annotations')}"
        f" && {OLD.variable('annotations')}[k] == variables.annotations[k]"
        f" && {_unlisted(judging, OLD, known=bool(listed))}"
    )
    found = f"variables.asked.filter(k, {unlisted} && !({before}))"
    condition = f"size(variables.asked) > 0 && size({found}) > 0"
    message = f"'annotations reconfigure the sandbox: ' + {found}.join(', ')"
    reasons = judging.reasons(Rule.SANDBOX_ANNOTATION, condition, message)
    return _Term(tuple(variables), Variable("reconfigured", reasons))


def _asked(side: Side) -> Variable:
    return Variable(side.name("asked"), f"{side.variable('annotations')}.filter(k, {_RECONFIGURES})")


def _unlisted(judging: Judging, side: Side, *, known: bool) -> str:
    """Whether annotation `k` is not listed by policy `i` for the class of that side."""
    if not known:
        return "true"
    key = f"string(i) + '/' + {judging.name(side)}"
    fits = "p.endsWith('*') ? k.startsWith(p.substring(0, size(p) - 1)) : k == p"
    return f"!({key} in variables.listed && variables.listed[{key}].exists(p, {fits}))"


def _hardening(judging: Judging) -> _Term:
    tables = judging.tables
    rules = [each.spec.hardening for each in tables.policies]
    required = Variable("required", cel.text_lists(rule.require if rule else () for rule in rules))
    above = Variable("above", cel.text_lists(tables.reaching(rule.below) if rule else () for rule in rules))
    new, old = judging.name(NEW), judging.name(OLD)
    fresh = f"{_UPDATED} ? variables.lacks.filter(l, !(l in {OLD.variable('lacks')})) : variables.lacks"
    before = f"{_UPDATED} && i in {OLD.variable('matching')} && !({old} in variables.above[i])"
    found = f"variables.required[i].filter(p, p in ({before} ? variables.freshParts : variables.lackedParts))"
    condition = f"size(variables.required[i]) > 0 && !({new} in variables.above[i]) && size({found}) > 0"
    message = f"'lacks ' + {found}.join(', ')"
    variables = (
        *(required, above, hardening.lacks(NEW), hardening.lacks(OLD), Variable("fresh", fresh)),
        *(hardening.parts("lackedParts", "variables.lacks"), hardening.parts("freshParts", "variables.fresh")),
    )
    return _Term(variables, Variable("notHardened", judging.reasons(Rule.HARDENING, condition, message)))
