"""A verdict with the object that it is about."""

from __future__ import annotations

import msgspec

from casemate.model.policy import Verdict


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`title` is `Kind namespace/name`, `where` is `file:line:column` of the object."""

    title: str
    verdict: Verdict
    where: str = ""
