"""Which violations of a request are accepted (`casemate.model.policy`, rule 8).

1. In force is what has not expired and does not expire too late. A date counts to its end, in UTC.
2. An exception applies when its scope matches the request, whichever policies it names.
3. Accepted is what every exception that applies accepts, and nothing where none applies.
4. It accepts rules of policies that it names by title. With `permitted`, rules about the class only for those classes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from casemate.model.policy import CLASS_RULES, PolicyException, Rule
from casemate.policy.match import Matcher, matcher

_DAY = datetime.timedelta(days=1)


class Exempting:
    """An exception, compiled."""

    def __init__(self, document: PolicyException) -> None:
        spec = document.spec
        self.name = document.name
        self.ends = ends(spec.expires)
        self.scope: Matcher = matcher(spec.scope, widening=True)
        self._policies = frozenset(spec.policies)
        self._rules = frozenset(spec.rules)
        self._classes = frozenset(spec.permitted) if spec.permitted else None

    def accepts(self, policy: str, rule: Rule, name: str) -> bool:
        """Whether it accepts the rule's violation of that policy by the class `name`."""
        if rule not in self._rules or policy not in self._policies:
            return False
        return rule not in CLASS_RULES or self._classes is None or name in self._classes

    def leaves_unset(self, policy: str) -> bool:
        """Whether it wants Pods without a class to stay so, whatever the policy's default."""
        return self._classes is not None and self.accepts(policy, Rule.CLASS_UNSET, "") and "" in self._classes


@dataclass(frozen=True)
class Applying:
    """The exceptions that apply to one request."""

    exceptions: tuple[Exempting, ...]

    def accept(self, policy: str, rule: Rule, name: str) -> bool:
        """Whether all of them accept it, and there is one."""
        return bool(self.exceptions) and all(each.accepts(policy, rule, name) for each in self.exceptions)

    def leave_unset(self, policy: str) -> bool:
        """Whether the policy's default is not set."""
        return bool(self.exceptions) and all(each.leaves_unset(policy) for each in self.exceptions)

    @cached_property
    def names(self) -> str:
        """Their names, for a person."""
        return ", ".join(each.name for each in self.exceptions)


def ends(expires: str) -> datetime.datetime:
    """The moment from which it accepts nothing any more. Raises `ValueError` when it is no RFC 3339 date or time."""
    if "T" not in expires.upper():
        day = datetime.date.fromisoformat(expires)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC) + _DAY
    moment = datetime.datetime.fromisoformat(expires.upper())
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC")
    return moment.astimezone(datetime.UTC)


def in_force(exceptions: Iterable[Exempting], now: datetime.datetime, most: datetime.timedelta) -> list[Exempting]:
    """Those that have not expired and do not expire too late."""
    return [each for each in exceptions if now < each.ends <= last_end(now, most)]


def last_end(now: datetime.datetime, most: datetime.timedelta) -> datetime.datetime:
    """The last end that counts: to the end of the day, so that a date that many days off is not too late."""
    day = (now.astimezone(datetime.UTC) + most).date()
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC) + _DAY


def until(exceptions: Iterable[Exempting], now: datetime.datetime) -> datetime.datetime:
    """The next moment at which another set may be in force."""
    moments = [each.ends for each in exceptions if now < each.ends]
    return min((*moments, last_end(now, datetime.timedelta())), default=now)
