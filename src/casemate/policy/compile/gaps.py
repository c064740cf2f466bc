"""What a back-end does not do as the evaluator does.

1. A gap that leaves something open is an error, unless the user asks for a part (`--partial`); then it is marked.
2. One that refuses more, or is not about isolation, is a note: said and marked, but no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from casemate.errors import RefusedError
from casemate.model.policy import Fit, Mode, Permit, Policy
from casemate.policy.compile.tables import Tables
from casemate.policy.judge import NEED


@dataclass(frozen=True, slots=True)
class Gap:
    """`part` is the field or rule, `where` the policy's place. `open`: something is left open."""

    policy: str
    part: str
    what: str
    where: str = ""
    open: bool = False

    def __str__(self) -> str:
        whose = f"{self.policy}: {self.part}: " if self.policy else f"{self.part}: "
        return f"{whose}{self.what}"


def refuse(gaps: Iterable[Gap], target: str) -> None:
    """Raise `RefusedError` that lists what a back-end would leave open."""
    leaving = [each for each in gaps if each.open]
    if leaving:
        lines = [
            f"{target} cannot do all of it:",
            *(f"  {each.where}: {each}" if each.where else f"  {each}" for each in leaving),
        ]
        raise RefusedError("\n".join(lines), fix="leave it to `casemate admit`, or mark the gaps with --partial")


def of_cel(tables: Tables) -> Iterator[Gap]:
    """What no back-end that judges by CEL can do."""
    for policy in tables.policies:
        yield from _of_policy(policy)
    if not any(each.name and not each.missing for each in tables.classes):
        yield from _without_classes(tables)
    for exception in tables.exceptions:
        what = "an update has no time in CEL, so no exception accepts what an update brings anew: stricter"
        yield Gap(exception.name, "expires", what, exception.where)


def of_authorizers(tables: Tables) -> Iterator[Gap]:
    """What is otherwise with rights of service accounts where the API server's authorizers are asked for them."""
    what = "the API server asks all of its authorizers, not RBAC alone: what another one allows is allowed"
    return (Gap(each.title, "rbac", what, each.where) for each in tables.policies if each.spec.rbac)


def without_authorizers(tables: Tables) -> Iterator[Gap]:
    """The same where nobody can be asked."""
    what = "its expressions cannot ask what the Pod's service account may use"
    return (Gap(each.title, "rbac: use", what, each.where, open=True) for each in tables.policies if each.spec.rbac)


def _of_policy(policy: Policy) -> Iterator[Gap]:
    if policy.spec.minimum == NEED:
        what = "what a workload needs is what `assess` says, which CEL cannot tell"
        yield Gap(policy.title, "minimum: need", what, policy.where, open=True)
    if policy.spec.fit is Fit.DENY and policy.spec.mode is Mode.ENFORCE:
        what = "whether a class has a node or would break the workload is not looked at: that is no hole, but Pods may"
        yield Gap(policy.title, "fit", f"{what} stay pending", policy.where)


def _without_classes(tables: Tables) -> Iterator[Gap]:
    what = "no RuntimeClasses were given, so every boundary but unset's is unknown: stricter; give them with --policy"
    for policy in tables.policies:
        spec = policy.spec
        entries = [each for each in spec.permitted or () if isinstance(each, Permit) and each.name is None]
        if entries or spec.minimum not in ("", NEED):
            yield Gap(policy.title, "permitted" if entries else "minimum", what, policy.where)
