"""The bypass corpus: requests with the verdict that is right. corpus/README.md says what each field means."""

from __future__ import annotations

import msgspec

from casemate.model.policy import Decision, Operation, Policy, PolicyException, Rule
from casemate.model.surroundings import Surroundings

Object = dict[str, object]


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a case, as the API server would see it: `body` over the wire, after `old` when that is given.

    `id` is the case's, with the kind behind a slash where a case tries several. `api`: only a real API server can show
    it; `refused`: a real API server refuses it by itself, whatever the policies say.
    """

    id: str
    tries: str
    source: str
    body: bytes
    expect: Decision
    namespace: str
    user: str
    groups: tuple[str, ...]
    clock: str
    operation: Operation = Operation.CREATE
    subresource: str = ""
    verb: str = "post"
    old: Object | None = None
    rule: Rule | None = None
    class_name: str | None = None
    api: bool = False
    refused: bool = False
    policies: tuple[str, ...] = ()
    where: str = ""


class Force(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force for a case: the files that it names, read."""

    policies: tuple[Policy, ...]
    exceptions: tuple[PolicyException, ...]
    documents: tuple[Object, ...]


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """All tries, what each file of policies says, and the cluster that they find."""

    tries: tuple[Try, ...]
    policies: dict[str, Force]
    surroundings: Surroundings
    setting: tuple[Object, ...]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """A try and what an engine said of it. `class_name` is the class that stands there then, if the try asks.

    `by_server`: the API server itself refused, so that the policies' rule is not known.
    """

    attempt: Try
    decision: Decision
    rules: tuple[str, ...] = ()
    message: str = ""
    class_name: str | None = None
    by_server: bool = False

    @property
    def wrong(self) -> str:
        """What differs from what is right, empty when nothing does."""
        expected = self.attempt
        if expected.refused and self.by_server:
            return ""
        if self.decision is not expected.expect:
            return f"{self.decision} instead of {expected.expect}"
        if expected.rule is not None and not self.by_server and str(expected.rule) not in self.rules:
            return f"denied by {', '.join(self.rules) or 'no rule'} instead of {expected.rule}"
        if expected.class_name is not None and self.class_name != expected.class_name:
            return f"class {self.class_name!r} instead of {expected.class_name!r}"
        return ""

    @property
    def bypassed(self) -> bool:
        """Whether something was let through that must be denied."""
        return self.attempt.expect is Decision.DENY and self.decision is not Decision.DENY
