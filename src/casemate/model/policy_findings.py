"""What is wrong with policies and exceptions as a whole, though each can be read."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """`error`: it denies or accepts something that nobody can have meant. `warning`: it does less than it seems to."""

    ERROR = "error"
    WARNING = "warning"


class PolicyFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id` is a row of docs/reference/policy.md; `about` is the title of a document of `kind`.

    `where` is `file:line:column`, or the object and field in a cluster. `others` are the titles of other documents of
    the same kind that have their part in it.
    """

    id: str
    severity: Severity
    kind: str
    about: str
    where: str
    message: str
    fix: str = ""
    others: tuple[str, ...] = ()
