"""What is wrong with policies that can be read, before they deny anything.

1. Classes: a name that no RuntimeClass has, where some are known; else one that RuntimeClasses do not commonly have.
2. Each policy by itself: a default that it does not permit or that is below its minimum; entries and rules that can
   never count; an upgrade without a default; namespaces that are not there or never judged; where rights are known,
   classes that no service account may use.
3. What tenants write themselves is a weak anchor: labels and images of Pods.
4. Policies that can meet (`casemate.policy.check_pairs`), and exceptions (`casemate.policy.check_exceptions`).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from casemate.catalogue.tables import Catalogue
from casemate.model.boundary import Boundary
from casemate.model.policy import Permit, Policy
from casemate.model.policy_findings import PolicyFinding
from casemate.model.surroundings import Surroundings
from casemate.policy.check_board import Board
from casemate.policy.check_exceptions import check_exceptions
from casemate.policy.check_pairs import check_pairs
from casemate.policy.evaluate import PolicySet
from casemate.policy.judge import CompiledPolicy, boundary_text
from casemate.policy.permitted import compiled
from casemate.sources.policies import PolicyInput
from casemate.sources.problems import near_miss

_PLAIN: Final = ("podLabels", "images")
_GRANT: Final = "bind a role with verb use on runtimeclasses of node.k8s.io, or give the bindings beside the policies"


def check(
    written: PolicyInput, of: PolicySet, around: Surroundings, catalogue: Catalogue, now: datetime.datetime
) -> tuple[PolicyFinding, ...]:
    """Everything that is wrong, in the order of the documents."""
    board = Board(written, of, around, catalogue)
    for each in board.policies:
        _names(board, each)
        _default(board, each)
        _dead_entries(board, each)
        _dead_rules(board, each)
        _rights(board, each)
        _namespaces(board, each)
        _anchors(board, each)
    check_pairs(board)
    check_exceptions(board, now)
    return board.findings()


def _names(board: Board, policy: CompiledPolicy) -> None:
    spec = policy.document.spec
    for name, path in _class_names(policy.document):
        if not name or name in board.known_names:
            continue
        known = f"no RuntimeClass {name} among the {len(board.of.classes.names)} that are known"
        guess = f"no runtime that casemate knows has a RuntimeClass called {name}"
        what = known if board.of.classes.names else guess
        fix = near_miss(name, board.known_names) or "check the name, or give the RuntimeClass beside the policies"
        report = board.error if board.of.classes.names and name == spec.default else board.warn
        report("unknown-class", policy.document, path, what, fix)


def _class_names(document: Policy) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    spec = document.spec
    if spec.default:
        yield spec.default, ("spec", "default")
    for index, entry in enumerate(spec.permitted or ()):
        if isinstance(entry, str):
            yield entry, ("spec", "permitted", index)
        elif entry.name:
            yield entry.name, ("spec", "permitted", index, "name")


def _default(board: Board, policy: CompiledPolicy) -> None:
    spec, default = policy.document.spec, policy.default
    place = ("spec", "default")
    if default is None:
        if spec.upgrade:
            board.warn("dead-rule", policy.document, ("spec", "upgrade"), "upgrades to a default that is not there", "")
        return
    if not policy.permitted.permits(default):
        fix = f"add {default.name} to permitted"
        board.error("default-not-permitted", policy.document, place, f"permits all but its default {default.name}", fix)
    least = policy.minimum
    if least and default.boundary < least and not (least is Boundary.HARDENED and default.boundary):
        what = f"its default {default.name} gives {boundary_text(default.boundary)}, its minimum is {least}"
        board.error("default-below-minimum", policy.document, place, what, "choose a stronger default")


def _dead_entries(board: Board, policy: CompiledPolicy) -> None:
    """Entries that permit no class that is known, or none that reaches the minimum."""
    entries = policy.document.spec.permitted
    if entries is None:
        return
    reaching = 0
    for index, entry in enumerate(entries):
        fitting = [each for each in board.classes if compiled([entry]).permits(each)]
        enough = [each for each in fitting if policy.minimum is None or board.reaches(each, policy.minimum)]
        reaching += len(enough)
        place = ("spec", "permitted", index)
        if not fitting and isinstance(entry, Permit) and entry.name is None and board.of.classes.names:
            board.warn("dead-rule", policy.document, place, "no RuntimeClass that is known fits this entry", "")
        elif fitting and not enough:
            what = f"nothing that it permits reaches the minimum {policy.minimum}"
            board.warn("dead-rule", policy.document, place, what, "remove it, or lower the minimum")
    if not reaching and entries and policy.minimum:
        what = f"no class that it permits reaches its minimum {policy.minimum}: it denies everything"
        board.error("empty-intersection", policy.document, ("spec", "minimum"), what, "permit a stronger class")


def _dead_rules(board: Board, policy: CompiledPolicy) -> None:
    spec = policy.document.spec
    if spec.upgrade and spec.permitted is None and len(board.policies) == 1:
        what = "upgrades what is not permitted, and everything is"
        board.warn("dead-rule", policy.document, ("spec", "upgrade"), what, "say what is permitted")
    if spec.hardening is None:
        return
    place = ("spec", "hardening", "below")
    permitted = [each for each in board.classes if policy.permitted.permits(each)]
    if policy.below is Boundary.SHARED:
        board.warn("dead-rule", policy.document, place, "no boundary is below shared", "name a stronger one")
    elif spec.permitted and permitted and all(each.boundary >= policy.below for each in permitted):
        what = f"every class that it permits reaches {policy.below}: the hardening is never asked for"
        board.warn("dead-rule", policy.document, place, what, "remove it, or name a stronger boundary")


def _rights(board: Board, policy: CompiledPolicy) -> None:
    """Classes that it asks a right for and that nobody has. Where no right is known, nothing is said."""
    rights = policy.rights
    if rights is None or not rights.known:
        return
    named = list(_class_names(policy.document))
    for name, path in named:
        if name and not rights.anybody_may_use(name):
            what = f"no service account may use {name}: whoever has it is refused"
            board.warn("nobody-may-use", policy.document, path, what, _GRANT)
    permitted = [each.name for each in board.classes if each.name and policy.permitted.permits(each)]
    if not permitted:
        what = "it permits no class but unset, which needs no right"
        board.warn("dead-rule", policy.document, ("spec", "rbac"), what, "remove it, or permit a class")
    elif board.of.classes.names and not named and not any(map(rights.anybody_may_use, permitted)):
        what = "no service account may use any class that it permits"
        board.warn("nobody-may-use", policy.document, ("spec", "rbac"), what, _GRANT)


def _namespaces(board: Board, policy: CompiledPolicy) -> None:
    wanted = policy.document.spec.match.namespaces
    for index, name in enumerate(wanted.names if wanted else ()):
        place = ("spec", "match", "namespaces", "names", index)
        if name == board.of.settings.own_namespace:
            board.warn("dead-rule", policy.document, place, f"casemate's own namespace {name} is never judged", "")
        elif board.around.namespaces and name not in board.around.namespaces:
            fix = near_miss(name, board.around.namespaces)
            board.warn("unknown-namespace", policy.document, place, f"no Namespace {name} is known", fix)


def _anchors(board: Board, policy: CompiledPolicy) -> None:
    for name in _PLAIN:
        if getattr(policy.document.spec.match, name):
            what = f"tenants write {name} themselves: who writes others is not covered"
            fix = "choose by namespaces or service accounts, or let a wider policy cover the rest"
            covered = any(board.covers(each, policy) for each in board.policies)
            if not covered:
                board.warn("anchor-editable", policy.document, ("spec", "match", name), what, fix)
