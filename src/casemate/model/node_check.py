"""How a hardening check of a node came out."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """A check's outcome. What could not be looked at has not passed."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    COULD_NOT_LOOK = "could not look"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One check on one node: `evidence` is what failed it, or why it does not apply or could not be made."""

    id: str
    title: str
    verdict: Verdict
    evidence: tuple[str, ...]
    fix: str
    source: str
