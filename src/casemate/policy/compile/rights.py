"""`rbac: use` as validations: the API server asks its own authorizers about the Pod's service account.

1. Messages know no authorizer (apiserver, pkg/admission/plugin/policy/validating/validator.go). So a missing right is a
   validation of its own, and what its message says is worked out without one.
2. A check costs a third of what an expression may (`casemate.policy.compile.estimate`). So one is made for the class
   that stands there, whatever the number of policies. Policies that do not enforce judge of their own defaults: for
   each of these there is another.
3. The right counts as it is in the Pod's namespace, so that a RoleBinding there gives it.
4. An update that leaves class and service account as they were is not asked about: it violates nothing anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from casemate.model.policy import Policy, Right, Rule
from casemate.policy.compile import cel, cost
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.facts import NEW, OLD
from casemate.policy.compile.verdicts import Judging, is_let_be

Object: TypeAlias = dict[str, object]

_FINAL: Final = "variables.final"
_CHECK: Final = (
    "authorizer.serviceAccount(request.namespace, variables.account).group('node.k8s.io').resource('runtimeclasses')"
    ".namespace(request.namespace).name({}).check('use').allowed()"
)
_SAME_ACCOUNT: Final = f"{NEW.variable('account')} == {OLD.variable('account')}"
_MESSAGE: Final = "casemate: the Pod's service account has no right to use its class [class-not-granted]"


def variables(judging: Judging) -> Iterator[Variable]:
    """For each class that is asked about, the policies that ask, with what the denial says."""
    for number, (name, holds) in enumerate(_classes(judging)):
        condition = cel.both(
            f"i in {cel.numbers(judging.tables.numbers(_asks))}",
            f"{name} != ''",
            holds,
            f"!({judging.unchanged()} && {_SAME_ACCOUNT})",
        )
        who = f"'service account ' + request.namespace + '/' + {NEW.variable('account')}"
        reasons = judging.reasons(Rule.CLASS_NOT_GRANTED, condition, f"{who} + ' has no right to use class ' + {name}")
        yield Variable(_asking(number), f"size(variables.judging) == 0 || {is_let_be()} ? [] : {reasons}")


def validations(judging: Judging) -> Iterator[Object]:
    """For each of those classes, that nobody asks or the service account may use it."""
    for number, (name, _) in enumerate(_classes(judging)):
        asking = f"variables.{_asking(number)}"
        yield {
            "expression": f"size({asking}) == 0 || {_CHECK.format(name)}",
            "messageExpression": cost.message(asking),
            "message": _MESSAGE,
            "reason": "Forbidden",
        }


def _asking(number: int) -> str:
    return f"askingRight{number}"


def _asks(policy: Policy) -> bool:
    return policy.spec.rbac is Right.USE


def _classes(judging: Judging) -> Iterator[tuple[str, str]]:
    """The classes that may be judged of, each with the condition of policy `i` that it is that one (rule 2)."""
    asking = [each for each in judging.policies if _asks(each)]
    if not asking:
        return
    giving = f"i in {NEW.variable('giving')}"
    yield _FINAL, f"!({giving})" if judging.gives else "true"
    if judging.gives:
        for default in sorted({each.spec.default for each in asking if each.spec.default}):
            yield cel.text(default), f"{giving} && variables.defaults[i] == {cel.text(default)}"
