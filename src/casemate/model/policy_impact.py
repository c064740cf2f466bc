"""What policies would do to a workload that is there already."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from casemate.model.assessment import Cost
from casemate.model.policy import PolicyReason


class Effect(StrEnum):
    """What becomes of a workload's next creation. `breaks`: it is denied, as it would not work as it must run."""

    NOTHING = "nothing"
    CHANGE = "change"
    DENY = "deny"
    BREAKS = "breaks"


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """`before` and `after` are classes, empty when unset. `more` is what each of its Pods costs beyond today."""

    title: str
    namespace: str
    where: str
    effect: Effect
    before: str
    after: str
    reasons: tuple[PolicyReason, ...] = ()
    more: Cost = Cost()
