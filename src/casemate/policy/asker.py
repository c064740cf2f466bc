"""Who asks, as far as policies care.

1. Kubernetes' own controllers and nodes ask on behalf of somebody: `users` and `groups` are not judged there.
2. A node is known by its name and its group together.
3. Nobody is known to ask in files and audits: policies about users then say that they were not applied. So do
   policies about names where only the asker's groups are known, and the other way round.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from casemate.model.policy import CONTROLLERS, NODE

_NODES = "system:nodes"


class Role(Enum):
    """What kind of asker it is."""

    NOBODY = auto()
    CONTROLLER = auto()
    NODE = auto()
    SOMEBODY = auto()


class Asker(NamedTuple):
    """A role, and the name and groups where policies may judge them."""

    role: Role
    user: str = ""
    groups: frozenset[str] = frozenset()


def role_of(user: str, groups: tuple[str, ...]) -> Role:
    """The role of a user."""
    if not user:
        return Role.SOMEBODY if groups else Role.NOBODY
    if user in CONTROLLERS:
        return Role.CONTROLLER
    if user.startswith(NODE) and _NODES in groups:
        return Role.NODE
    return Role.SOMEBODY


def asker(user: str, groups: tuple[str, ...]) -> Asker:
    """Who asks."""
    role = role_of(user, groups)
    return Asker(role, user, frozenset(groups)) if role is Role.SOMEBODY else Asker(role)
