"""A suite of tests for policies, and what came of it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from casemate.model.policy import Decision, Document, Operation, Patch, Rule, Verdict

Object: TypeAlias = dict[str, object]


class ExpectedPatch(Document, frozen=True, kw_only=True):
    """One operation of the patch."""

    op: str
    path: str
    value: str | None = None


class Expected(Document, frozen=True, kw_only=True):
    """What a verdict should be. `rules` are among its reasons; `patch`, when it is there, is the whole patch."""

    decision: Decision
    rules: tuple[Rule, ...] = ()
    patch: tuple[ExpectedPatch, ...] | None = None


class PolicyCase(Document, frozen=True, kw_only=True, rename="camel"):
    """One question and its answer. The object is written here, or is every object of `file`."""

    name: str
    expect: Expected
    object: Object | None = None
    file: str = ""
    old: Object | None = None
    operation: Operation | None = None
    namespace_labels: dict[str, str] | None = None
    user: str = ""
    groups: tuple[str, ...] = ()


class PolicySuite(Document, frozen=True, kw_only=True, rename="camel"):
    """`policies` are files and folders beside the suite; `clock` is the moment of all verdicts, else now."""

    api_version: str
    kind: str
    policies: tuple[str, ...]
    cases: tuple[PolicyCase, ...]
    clock: str = ""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a case. `differences` are empty when it passed; `verdict` is None when there could be none."""

    name: str
    where: str
    differences: tuple[str, ...] = ()
    verdict: Verdict | None = None

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.differences


def differences(expected: Expected, found: Verdict) -> tuple[str, ...]:
    """In what a verdict differs from what is expected, each as `- expected` and `+ found`."""
    lines = []
    if found.decision is not expected.decision:
        lines += [f"- decision: {expected.decision}", f"+ decision: {found.decision}"]
    rules = {each.rule for each in found.reasons}
    lines += [f"- rule: {rule}" for rule in expected.rules if rule not in rules]
    if expected.patch is not None:
        wanted = [_line(each.op, each.path, each.value) for each in expected.patch]
        given = [_line(each.op, each.path, _value(each)) for each in found.patch]
        lines += [f"- patch: {each}" for each in wanted if each not in given]
        lines += [f"+ patch: {each}" for each in given if each not in wanted]
        if not lines and wanted != given:
            lines += [f"- patch: {', '.join(wanted)}", f"+ patch: {', '.join(given)}"]
    if lines:
        lines += [f"  because: {each.policy} {each.rule}: {each.message}" for each in found.reasons]
    return tuple(lines)


def _value(patch: Patch) -> str | None:
    return patch.value if isinstance(patch.value, str) else None


def _line(op: str, path: str, value: str | None) -> str:
    return f"{op} {path}" if value is None else f"{op} {path} {value}"
