"""From the policies of a namespace and one request to a verdict, in this order.

1. Which policies and exceptions are about it; which policies cannot be applied, and why.
2. The class that it is given, if one.
3. What each policy has against it under that class; a policy that only warns or audits, under the class that it would
   have given itself. Left out is what the object before an update violated in the same way.
4. What exceptions accept of that. What is left of policies that enforce denies.
5. A mirror Pod is allowed: what there is against it is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from msgspec.structs import replace

from casemate.model.policy import Decision, Mode, Operation, Part, Patch, PolicyReason, Request, Rule, Verdict
from casemate.model.workload import Workload
from casemate.policy.asker import Asker
from casemate.policy.choice import Choice, changeable, choose, left_as_it_is
from casemate.policy.classes import Classes, ClassFacts
from casemate.policy.exceptions import Applying, Exempting
from casemate.policy.fit import Fits
from casemate.policy.judge import CompiledPolicy, Examined, Violation, class_text, lets, violations
from casemate.policy.match import Answer, Matcher, Subject
from casemate.policy.patches import change
from casemate.policy.shape import is_known

ALLOWED: Final = Verdict(decision=Decision.ALLOW)

_Key: TypeAlias = tuple[str, Rule, str]


@dataclass(frozen=True, eq=False)
class Set:
    """The policies and exceptions that may be about requests in one namespace.

    `unknown` are the titles of policies that ask for labels which could not be had. `verdict` is given when there is no
    policy at all. `alike` is the same for all sets of the same policies and exceptions, and of the same namespace where
    they ask for rights.
    """

    policies: tuple[CompiledPolicy, ...]
    unknown: frozenset[str]
    exceptions: tuple[Exempting, ...]
    labels: Mapping[str, str] | None
    verdict: Verdict
    alike: tuple[object, ...] = ()

    @cached_property
    def empty(self) -> bool:
        """Whether no policy is about the namespace."""
        return not self.policies

    @cached_property
    def asks_identity(self) -> bool:
        """Whether a verdict may depend on who asks."""
        return bool(self.exceptions) or any(each.matcher.users or each.matcher.groups for each in self.policies)

    @cached_property
    def asks_need(self) -> bool:
        """Whether a verdict may depend on what `assess` says of the workload."""
        return any(each.asks_need for each in self.policies)

    @cached_property
    def asks_rights(self) -> bool:
        """Whether a verdict may depend on what the service account may do."""
        return any(each.rights is not None for each in self.policies)

    @cached_property
    def by_shape(self) -> bool:
        """Whether workloads of one shape get one verdict here (`casemate.policy.shape`, rule 5)."""
        return not self.unknown and all(map(is_known, self.policies))

    @cached_property
    def parts(self) -> frozenset[Part]:
        """The parts of `hardened` that some policy may ask for. A minimum may be reached by having all."""
        if any(each.minimum is not None for each in self.policies):
            return frozenset(Part)
        return frozenset().union(*(each.parts for each in self.policies))

    @cached_property
    def asking(self) -> tuple[Matcher, ...]:
        """What tells apart requests of one namespace: the conditions of policies and exceptions beyond namespaces."""
        matchers = (*(each.matcher for each in self.policies), *(each.scope for each in self.exceptions))
        return tuple(each for each in matchers if each.asks)

    def only(self, policies: Iterable[CompiledPolicy]) -> Set:
        """The same with fewer policies."""
        return Set(tuple(policies), self.unknown, self.exceptions, self.labels, self.verdict)


@dataclass(frozen=True)
class _Matched:
    """What is about one workload. `refusals` and `remarks` are of policies that could not be applied."""

    policies: tuple[CompiledPolicy, ...]
    applying: Applying
    refusals: tuple[PolicyReason, ...]
    remarks: tuple[PolicyReason, ...]


def exempt(why: str) -> Verdict:
    """The verdict on what no policy is asked about."""
    reason = PolicyReason(policy="", rule=Rule.EXEMPT, message=why, mode=Mode.AUDIT)
    return Verdict(decision=Decision.ALLOW, reasons=(reason,))


class Judge:
    """Judges requests of one namespace's set."""

    def __init__(self, found: Set, fits: Fits, classes: Classes) -> None:
        self._found = found
        self._fits = fits
        self._classes = classes

    def verdict(self, request: Request, who: Asker) -> Verdict:
        """The verdict on a request."""
        old = request.old if request.operation is Operation.UPDATE else None
        if old is not None and _same_template(old, request.workload):
            return ALLOWED
        matched = self._matched(request.workload, who)
        current = self._class_of(request.workload)
        able = changeable(request)
        enforcing = [each for each in matched.policies if each.enforces]
        choice = choose(current, enforcing, matched.applying) if able else None
        final = choice.facts if choice else current
        before = self._violated(old, who, able=able) if old else frozenset()
        found = self._violations(request.workload, matched, final, able=able)
        against = [each for each in found if _key(each) not in before]
        return _Answer(request.workload, matched, current, final, choice, able=able).verdict(against)

    def mirror(self, request: Request, who: Asker) -> Verdict:
        """The verdict on a mirror Pod: allowed, with what there is against it."""
        matched = self._matched(request.workload, who)
        current = self._class_of(request.workload)
        found = list(self._violations(request.workload, matched, current, able=False))
        answer = _Answer(request.workload, matched, current, current, None, able=False).verdict(found)
        text = "a mirror Pod of a node: it runs already, and to refuse it would only hide it"
        said = (replace(each, mode=Mode.AUDIT) for each in answer.reasons)
        return replace(exempt(text), reasons=(*exempt(text).reasons, *said))

    def permitted(self, workload: Workload, who: Asker, names: Iterable[str]) -> tuple[str, ...] | None:
        """Those of the classes that every policy which enforces permits; None when none says anything."""
        asked = [each for each in self._matched(workload, who).policies if each.enforces]
        saying = [each for each in asked if each.says_classes]
        if not saying:
            return None
        facts = ((name, self._classes.facts(name)) for name in names)
        return tuple(name for name, of in facts if all(lets(each, workload, of) for each in saying))

    def _class_of(self, workload: Workload) -> ClassFacts:
        return self._classes.facts(workload.spec.runtimeClassName or "")

    def _matched(self, workload: Workload, who: Asker) -> _Matched:
        subject = Subject(workload, who)
        policies: list[CompiledPolicy] = []
        refusals: list[PolicyReason] = []
        remarks: list[PolicyReason] = []
        for each in self._found.policies:
            answer = each.matcher.rest(subject)
            if answer is Answer.NO:
                continue
            if answer is Answer.UNASKED:
                remarks.append(_unasked(each))
            elif each.title in self._found.unknown:
                refusals.append(_unknown(each, workload))
            else:
                policies.append(each)
        applying = tuple(each for each in self._found.exceptions if each.scope.rest(subject) is Answer.YES)
        return _Matched(tuple(policies), Applying(applying), tuple(refusals), tuple(remarks))

    def _violations(
        self, workload: Workload, matched: _Matched, final: ClassFacts, *, able: bool
    ) -> Iterator[Violation]:
        examined = Examined(workload, self._class_of(workload), self._found.labels, self._fits)
        for each in matched.policies:
            yield from violations(each, examined, _own(each, final, matched.applying, able=able).facts)

    def _violated(self, old: Workload, who: Asker, *, able: bool) -> frozenset[_Key]:
        """What the object before an update violated, as it stood."""
        matched = self._matched(old, who)
        return frozenset(map(_key, self._violations(old, matched, self._class_of(old), able=able)))


class _Answer:
    """What is said of a workload once its class is chosen."""

    def __init__(
        self,
        workload: Workload,
        matched: _Matched,
        current: ClassFacts,
        final: ClassFacts,
        choice: Choice | None,
        *,
        able: bool,
    ) -> None:
        self._workload = workload
        self._matched = matched
        self._current = current
        self._final = final
        self._choice = choice
        self._able = able

    def verdict(self, against: Iterable[Violation]) -> Verdict:
        """The verdict, given what there is against the workload."""
        refusals, accepted = list(self._matched.refusals), []
        for each in against:
            reason = PolicyReason(
                policy=each.policy, rule=each.rule, message=each.message, mode=each.mode, path=self._path(each)
            )
            if self._matched.applying.accept(each.policy, each.rule, self._final.name):
                accepted.append(self._accepted(reason))
            else:
                refusals.append(reason)
        denied = any(each.mode is Mode.ENFORCE for each in refusals)
        reasons = (*refusals, *accepted, *self._changes(denied=denied), *self._matched.remarks)
        patch = () if denied else self._patch()
        return Verdict(
            decision=Decision.DENY if denied else Decision.CHANGE if patch else Decision.ALLOW,
            reasons=reasons,
            patch=patch,
            warnings=tuple(self._warnings(reasons)),
            exception=self._matched.applying.names if accepted else "",
        )

    def _path(self, of: Violation) -> str:
        root = self._workload.path
        if of.rule is Rule.SANDBOX_ANNOTATION:
            return f"{root.removesuffix('spec')}metadata.annotations[{of.subject.partition('=')[0]}]"
        return f"{root}.{of.path}" if of.path else root

    def _accepted(self, reason: PolicyReason) -> PolicyReason:
        text = f"{reason.rule} is accepted by {self._matched.applying.names}: {reason.message}"
        return replace(reason, rule=Rule.EXCEPTION, message=text, mode=Mode.AUDIT)

    def _changes(self, *, denied: bool) -> Iterator[PolicyReason]:
        """What was set, what would have been set, and what could not be."""
        choice = self._choice
        if choice and denied:
            text = f"its default {choice.facts.name} cannot be set here"
            yield PolicyReason(policy=choice.policy.title, rule=Rule.NO_DEFAULT, message=text, mode=Mode.AUDIT)
        elif choice:
            yield self._change(choice, "is")
        for each in self._matched.policies:
            own = _own(each, self._final, self._matched.applying, able=self._able)
            if not each.enforces and own.facts is not self._final:
                yield self._change(own, "would be")

    def _change(self, choice: Choice, verb: str) -> PolicyReason:
        upgraded = bool(self._current.name)
        name = choice.facts.name
        text = (
            f"{class_text(self._current)} {verb} replaced by {name}" if upgraded else f"the default {name} {verb} set"
        )
        if left_as_it_is(self._workload):
            text += ", in its Pods: a Deployment makes a ReplicaSet anew that is not as it made it"
        return PolicyReason(
            policy=choice.policy.title,
            rule=Rule.UPGRADED if upgraded else Rule.DEFAULT_SET,
            message=text,
            mode=choice.policy.mode,
            path=f"{self._workload.path}.runtimeClassName",
        )

    def _patch(self) -> tuple[Patch, ...]:
        if self._choice is None or left_as_it_is(self._workload):
            return ()
        return change(self._workload, self._current, self._final)

    def _warnings(self, reasons: Iterable[PolicyReason]) -> Iterator[str]:
        for each in reasons:
            if each.mode is Mode.WARN:
                yield f"{each.policy}: {each.message}"
        if self._final.declared and self._matched.policies:
            yield f"{class_text(self._final)} is judged by its name: no RuntimeClass of that name is known"


def _own(policy: CompiledPolicy, final: ClassFacts, applying: Applying, *, able: bool) -> Choice:
    """The class of which a policy judges: one that does not enforce, of the class that it would have given."""
    own = None if policy.enforces or not able else choose(final, (policy,), applying)
    return own or Choice(final, policy)


def _key(violation: Violation) -> _Key:
    return violation.policy, violation.rule, violation.subject


def _same_template(old: Workload, new: Workload) -> bool:
    before, after = old.metadata, new.metadata
    return old.spec == new.spec and before.labels == after.labels and before.annotations == after.annotations


def _unknown(policy: CompiledPolicy, workload: Workload) -> PolicyReason:
    text = f"it asks for labels of namespace {workload.namespace}, which could not be had"
    return PolicyReason(policy=policy.title, rule=Rule.NAMESPACE_UNKNOWN, message=text, mode=policy.mode)


def _unasked(policy: CompiledPolicy) -> PolicyReason:
    text = "it is about users or groups, and who asks is not known: it was not applied"
    return PolicyReason(policy=policy.title, rule=Rule.IDENTITY_UNKNOWN, message=text, mode=Mode.AUDIT)
