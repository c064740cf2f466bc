"""What `assess` says of a workload: what it needs, what it has, what closes the gap, what would break."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from casemate.model.boundary import Boundary
from casemate.model.policy import Verdict
from casemate.model.workload import Workload


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One summand or argument: the catalogue's row (`id`), its weight (`points`), the field that it comes from."""

    id: str
    text: str
    points: int = 0
    path: str = ""


class Need(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The boundary that a workload should have. `forced` is the minimum that one reason alone demands, or None.

    `score` is 0 to 100, the sum of the reasons' points within that range.
    """

    boundary: Boundary
    score: int
    forced: Boundary | None = None
    reasons: tuple[Reason, ...] = ()


class State(StrEnum):
    """How sure a boundary is: named by the Pod, resolved to a handler and nodes, or shown by evidence."""

    DECLARED = "declared"
    RESOLVED = "resolved"
    PROVEN = "proven"


class Has(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The boundary that a workload gets today. `runtime` is the catalogue's id, empty when unknown."""

    class_name: str
    handler: str
    runtime: str
    boundary: Boundary
    state: State
    reasons: tuple[Reason, ...] = ()


class Relevance(StrEnum):
    """What a hardening gap means behind the workload's boundary."""

    MATTERS = "matters"
    REDUCED = "reduced"
    NOT_APPLICABLE = "not applicable"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A weakness of the manifest. `rule` is a stable id with a page in the docs, `path` the field in the object.

    `gap` marks the one finding that the boundary is below need.
    """

    rule: str
    message: str
    relevance: Relevance
    path: str = ""
    fix: str = ""
    line: int = 0
    column: int = 0
    gap: bool = False


class Outcome(StrEnum):
    """How a manifest's feature fares under a runtime."""

    WORKS = "works"
    DIFFERS = "behaves differently"
    FAILS = "fails"
    UNTESTED = "untested"


class Blocker(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feature that does not simply work under a runtime. `id` is the catalogue's row of fits."""

    id: str
    runtime: str
    outcome: Outcome
    text: str
    path: str = ""


class Cost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a runtime costs per Pod: bytes, millicores, seconds at start. None is unknown."""

    memory: int | None = None
    cpu: int | None = None
    start_seconds: float | None = None
    source: str = ""


class Recommendation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to do. `runtime_class` is empty when the class stays as it is; `sentence` is for a person.

    `closes` is false when nothing permitted reaches the need without breaking the workload: then this is the nearest.
    `hardening` lists rules whose fixes are part of the recommendation.
    """

    runtime_class: str
    runtime: str
    boundary: Boundary
    closes: bool
    sentence: str
    reasons: tuple[Reason, ...] = ()
    hardening: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    cost: Cost = Cost()


class EscapeRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reference escape: whether it is stopped `now` and `after` the recommendation, and why (`because`)."""

    id: str
    now: str
    after: str
    because: str = ""


class Escapes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`now` and `after` of `total` reference escapes are stopped. Never a probability."""

    now: int
    after: int
    total: int
    rows: tuple[EscapeRow, ...] = ()


class Suppression(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exception that accepts this workload's gap or a finding."""

    rule: str
    reason: str
    owner: str
    expires: str


class Assessed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The assessment of one workload. `verdict` is that of isolation policies, where some were given."""

    workload: Workload
    need: Need
    has: Has
    recommendation: Recommendation
    blockers: tuple[Blocker, ...] = ()
    findings: tuple[Finding, ...] = ()
    escapes: Escapes = Escapes(now=0, after=0, total=0)
    suppressions: tuple[Suppression, ...] = ()
    verdict: Verdict | None = None

    @property
    def gap(self) -> bool:
        """Whether the boundary is below need. An unknown boundary is below every need."""
        return self.has.boundary < self.need.boundary
