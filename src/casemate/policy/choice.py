"""Which class a workload is given (`casemate.model.policy`, rule 6).

1. Unset gets the strongest default of the policies that change, then that of the first by title. A default does not
   count where an exception wants Pods to stay without a class.
2. A class that a policy does not permit, and no exception accepts, is replaced by the strongest default of those with
   `upgrade`, when it is weaker than that. One of unknown boundary is never replaced: it may be the stronger one.
3. Pods and Jobs change at CREATE only; other templates whenever they are judged.
4. What a Deployment's controller makes of it is judged as changed and left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from casemate.model.boundary import Boundary
from casemate.model.policy import Operation, Request, Rule
from casemate.model.workload import Workload
from casemate.policy.classes import ClassFacts
from casemate.policy.exceptions import Applying
from casemate.policy.judge import CompiledPolicy
from casemate.policy.patches import pointer

_IMMUTABLE: Final = frozenset({"Pod", "Job"})


class Choice(NamedTuple):
    """The class that stands there in the end, and the policy that put it there."""

    facts: ClassFacts
    policy: CompiledPolicy


def choose(current: ClassFacts, matched: Sequence[CompiledPolicy], applying: Applying) -> Choice | None:
    """The class that these policies put in place of the current one, or None."""
    if not current.name:
        return _strongest(each for each in matched if not applying.leave_unset(each.title))
    if current.boundary is Boundary.UNKNOWN or all(_permits(each, current, applying) for each in matched):
        return None
    found = _strongest(each for each in matched if each.document.spec.upgrade)
    return found if found and current.boundary < found.facts.boundary else None


def changeable(request: Request) -> bool:
    """Whether the class of the request's template can be changed at all."""
    workload = request.workload
    if request.operation is Operation.UPDATE and workload.kind in _IMMUTABLE:
        return False
    return pointer(workload.path) is not None


def left_as_it_is(workload: Workload) -> bool:
    """Whether the object is a ReplicaSet of a Deployment, which compares its own template with it."""
    return workload.kind == "ReplicaSet" and any(each.startswith("Deployment/") for each in workload.owners)


def _strongest(policies: Iterable[CompiledPolicy]) -> Choice | None:
    having = [Choice(each.default, each) for each in policies if each.default is not None]
    return min(having, key=lambda choice: (-choice.facts.boundary, choice.policy.title), default=None)


def _permits(policy: CompiledPolicy, current: ClassFacts, applying: Applying) -> bool:
    return policy.permitted.permits(current) or applying.accept(policy.title, Rule.CLASS_NOT_PERMITTED, current.name)
