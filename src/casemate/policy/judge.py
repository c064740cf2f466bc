"""What one policy has against a workload under a class (`casemate.model.policy`, rules 2 to 5 and 7, in that order).

A violation's `subject` is what makes it the same one after an update: the class, the container or the annotation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from casemate.decide.cases import Read
from casemate.errors import InputError
from casemate.model.assessment import Blocker
from casemate.model.boundary import Boundary
from casemate.model.policy import Fit, Mode, Part, Policy, Rule
from casemate.model.workload import Workload
from casemate.policy.classes import ClassFacts
from casemate.policy.fit import Fits
from casemate.policy.hardening import Lack, lacking
from casemate.policy.match import Matcher, matcher
from casemate.policy.permitted import Permitted, compiled, sandbox_annotations
from casemate.policy.rights import ClassRights, account_of
from casemate.sources.problems import printable

NEED: Final = "need"
_CLASS: Final = "runtimeClassName"
_LONGEST: Final = 100


class Violation(NamedTuple):
    """`path` leads from the Pod's specification; `mode` is what it does."""

    policy: str
    rule: Rule
    subject: str
    message: str
    mode: Mode
    path: str = _CLASS


@dataclass(frozen=True)
class CompiledPolicy:
    """A policy with everything worked out that does not depend on the request. `rights` are those that it asks for."""

    document: Policy
    title: str
    matcher: Matcher
    permitted: Permitted
    default: ClassFacts | None
    minimum: Boundary | None
    below: Boundary
    parts: frozenset[Part]
    rights: ClassRights | None

    @property
    def mode(self) -> Mode:
        """What its violations do."""
        return self.document.spec.mode

    @property
    def enforces(self) -> bool:
        """Whether it denies and changes."""
        return self.document.spec.mode is Mode.ENFORCE

    @property
    def says_classes(self) -> bool:
        """Whether it says which classes there may be."""
        return self.permitted.entries is not None or self.minimum is not None or self.rights is not None

    @property
    def asks_need(self) -> bool:
        """Whether its minimum is what `assess` says."""
        return self.document.spec.minimum == NEED


def compile_policy(document: Policy, default: ClassFacts | None, rights: ClassRights) -> CompiledPolicy:
    """Compile one policy; `default` is what is known of its default's class. Raises `InputError` for its images."""
    spec = document.spec
    rule = spec.hardening
    try:
        matching = matcher(spec.match)
    except InputError as error:
        raise InputError(error.what, where=document.where or document.title, fix=error.fix) from None
    return CompiledPolicy(
        document=document,
        title=document.title,
        matcher=matching,
        permitted=compiled(spec.permitted),
        default=default,
        minimum=Boundary.parse(spec.minimum) if spec.minimum and spec.minimum != NEED else None,
        below=Boundary.parse(rule.below) if rule else Boundary.UNKNOWN,
        parts=frozenset(rule.require) if rule else frozenset(),
        rights=rights if spec.rbac else None,
    )


class Examined:
    """A workload with what policies ask of it, each worked out when the first one asks. `current` is its own class."""

    def __init__(self, workload: Workload, current: ClassFacts, labels: Mapping[str, str] | None, fits: Fits) -> None:
        self.workload = workload
        self.current = current
        self._labels = labels
        self._fits = fits
        self._breaks: dict[str, tuple[Blocker, ...]] = {}

    @cached_property
    def lacking(self) -> tuple[Lack, ...]:
        """The parts of `hardened` that it lacks."""
        return lacking(self.workload.spec, self.workload.metadata.annotations)

    @cached_property
    def sandbox_annotations(self) -> list[str]:
        """Its annotations that reconfigure a sandbox."""
        return sandbox_annotations(self.workload.metadata.annotations)

    def boundary(self, of: ClassFacts) -> Boundary:
        """The boundary that it has under a class: a shared kernel may be hardened."""
        return Boundary.HARDENED if of.boundary is Boundary.SHARED and not self.lacking else of.boundary

    def selector(self, of: ClassFacts) -> dict[str, str]:
        """Its node selector under a class: what another class brought goes with that."""
        own = self.workload.spec.nodeSelector
        if not own or of is self.current:
            return own
        return {key: text for key, text in own.items() if self.current.selector.get(key) != text}

    def need(self, of: ClassFacts) -> Boundary:
        """The boundary that it needs."""
        return self._fits.need(self._read, self._labels, of.name)

    def breaks(self, of: ClassFacts) -> tuple[Blocker, ...]:
        """What would fail under a class."""
        if of.name not in self._breaks:
            self._breaks[of.name] = self._fits.breaks(self._read, of.name)
        return self._breaks[of.name]

    @cached_property
    def _read(self) -> Read:
        return self._fits.read(self.workload, self._labels)


def violations(policy: CompiledPolicy, examined: Examined, of: ClassFacts) -> Iterator[Violation]:
    """Everything that the policy has against the workload under that class."""
    yield from _class(policy, of)
    if policy.rights is not None:
        yield from _granted(policy, policy.rights, examined.workload, of)
    yield from _minimum(policy, examined, of)
    yield from _annotations(policy, examined, of)
    yield from _hardening(policy, examined, of)
    yield from _fit(policy, examined, of)


def lets(policy: CompiledPolicy, workload: Workload, of: ClassFacts) -> bool:
    """Whether the policy lets the workload have that class, as far as it says which classes there may be."""
    granted = policy.rights is None or not any(_granted(policy, policy.rights, workload, of))
    return policy.permitted.permits(of) and of.boundary >= (policy.minimum or of.boundary) and granted


def _class(policy: CompiledPolicy, of: ClassFacts) -> Iterator[Violation]:
    if not policy.permitted.permits(of):
        rule = Rule.CLASS_NOT_PERMITTED if of.name else Rule.CLASS_UNSET
        text = f"{class_text(of)} is not permitted; {permitted_text(policy)}"
        yield Violation(policy.title, rule, of.name, text, policy.mode)
    if of.missing:
        text = f"there is no RuntimeClass {shown(of.name)}"
        yield Violation(policy.title, Rule.CLASS_UNKNOWN, of.name, text, policy.mode)
    if of.lies:
        text = f"RuntimeClass {shown(of.name)} is not what it is called: {of.lies}"
        yield Violation(policy.title, Rule.CLASS_MISMATCH, of.name, text, policy.mode)


def _granted(policy: CompiledPolicy, rights: ClassRights, workload: Workload, of: ClassFacts) -> Iterator[Violation]:
    account = account_of(workload)
    if not of.name or rights.may_use(workload.namespace, account, of.name):
        return
    who = f"service account {shown(workload.namespace)}/{shown(account)}"
    text = f"{who} has no right to use {class_text(of)} (RBAC: verb use on runtimeclasses.node.k8s.io)"
    if not rights.known:
        text = f"whether {who} may use {class_text(of)} is not known: no Role and no binding is"
    subject = f"{of.name} {account}"
    yield Violation(policy.title, Rule.CLASS_NOT_GRANTED, subject, text, policy.mode)


def _minimum(policy: CompiledPolicy, examined: Examined, of: ClassFacts) -> Iterator[Violation]:
    wanted = examined.need(of) if policy.asks_need else policy.minimum
    if wanted is None:
        return
    reached = examined.boundary(of)
    if reached < wanted:
        needed = f"it needs {wanted}" if policy.asks_need else f"the minimum is {wanted}"
        text = f"{class_text(of)} gives {boundary_text(reached)}, {needed}"
        yield Violation(policy.title, Rule.BELOW_MINIMUM, of.name, text, policy.mode)


def _annotations(policy: CompiledPolicy, examined: Examined, of: ClassFacts) -> Iterator[Violation]:
    asked = examined.sandbox_annotations
    for key in policy.permitted.unlisted(of, asked) if asked else ():
        subject = f"{key}={examined.workload.metadata.annotations[key]}"
        text = f"annotation {shown(key)} reconfigures the sandbox, and is not listed with {class_text(of)}"
        yield Violation(policy.title, Rule.SANDBOX_ANNOTATION, subject, text, policy.mode, "")


def _hardening(policy: CompiledPolicy, examined: Examined, of: ClassFacts) -> Iterator[Violation]:
    if not policy.parts or of.boundary >= policy.below:
        return
    for lack in examined.lacking:
        if lack.part in policy.parts:
            who = f"container {shown(lack.container)}" if lack.container else "the Pod"
            text = f"{who} lacks {lack.part}, which is required below {policy.below}"
            subject = f"{lack.part} {lack.container}"
            yield Violation(policy.title, Rule.HARDENING, subject, text, policy.mode, lack.path)


def _fit(policy: CompiledPolicy, examined: Examined, of: ClassFacts) -> Iterator[Violation]:
    mode = policy.mode
    if policy.document.spec.fit is Fit.WARN and mode is Mode.ENFORCE:
        mode = Mode.WARN
    if of.homeless:
        text = f"{class_text(of)} has no node: {of.homeless}"
        yield Violation(policy.title, Rule.NO_NODE, of.name, text, mode)
    for key, text in examined.selector(of).items():
        if of.selector.get(key, text) != text:
            what = f"its node selector {shown(key)} contradicts that of {class_text(of)}"
            yield Violation(policy.title, Rule.NO_NODE, f"{of.name} {key}", what, mode, "nodeSelector")
    for blocker in examined.breaks(of):
        text = f"{class_text(of)} would break it: {blocker.text} ({blocker.id})"
        yield Violation(policy.title, Rule.WOULD_BREAK, f"{of.name} {blocker.id}", text, mode, "")


def class_text(of: ClassFacts) -> str:
    """A class for a person."""
    return f"class {shown(of.name)}" if of.name else f"no class (the node's {of.handler})"


def boundary_text(boundary: Boundary) -> str:
    """A boundary for a person."""
    return "an unknown boundary" if boundary is Boundary.UNKNOWN else f"boundary {boundary}"


def permitted_text(policy: CompiledPolicy) -> str:
    """What a policy permits, for a person."""
    entries = policy.document.spec.permitted
    if not entries:
        return "only no class is"
    names = []
    for each in entries:
        if isinstance(each, str) or each.name is not None:
            name = each if isinstance(each, str) else each.name
            names.append(name or "no class")
        else:
            labels = ",".join(f"{key}={text}" for key, text in each.labels.items())
            names.append(f"boundary {each.boundary}" if each.boundary else f"labels {labels}")
    return f"permitted: {', '.join(names)}"


def shown(text: str) -> str:
    """Text from the request, short and without control characters."""
    return printable(text, _LONGEST)
