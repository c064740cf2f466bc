"""What became of the exceptions that an assessment was given."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ExceptionStatus(StrEnum):
    """Whether an exception accepted something: `unused` ones can go, `expired` ones accept nothing any more."""

    MATCHED = "matched"
    UNUSED = "unused"
    EXPIRED = "expired"


class AuditedException(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exception and what it did.

    `scope` says for a person what it is about, `where` is `file:line` or the object that carries it, `matched` counts
    the findings that it accepted (or, when expired, would have).
    """

    rules: tuple[str, ...]
    scope: str
    reason: str
    owner: str
    expires: str
    status: ExceptionStatus
    where: str = ""
    matched: int = 0
