"""What `casemate run --decide` did with a workload that names no class."""

from __future__ import annotations

import msgspec

from casemate.model.boundary import Boundary


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The class that a workload got, empty when it stays under the default handler, and why.

    `boundary` is what it gets; `need` what it should have: below that, `reason` says what stands in the way.
    """

    workload: str
    runtime_class: str
    need: Boundary
    boundary: Boundary
    reason: str
