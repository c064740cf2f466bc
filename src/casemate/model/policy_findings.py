"""What is wrong with policies and exceptions as a whole, though each can be read."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """`error`: it denies or accepts something that nobody can have meant. `warning`: it does less than it seems to."""

    ERROR = "error"
    WARNING = "warning"


class PolicyFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id` is a row of docs/reference/policy.md; `where` is `file:line:column`; `about` the document's title."""

    id: str
    severity: Severity
    about: str
    where: str
    message: str
    fix: str = ""
