"""The verdict on a request: the one answer that command line, webhook, audit and engine give.

1. What is exempt is allowed and says so (`casemate.model.policy`, rule 11).
2. Policies that match are sought once per namespace and its labels, then once per template; verdicts on templates of
   one shape (`casemate.policy.shape`), or that are equal, are kept (`casemate.policy.kept`). A verdict depends on
   nothing but the request, the set and which exceptions hold.
3. The class is chosen first, by the policies that enforce; everything is judged of the class that then stands there.
4. A policy that warns or audits is judged of the class that it would have put there itself.
5. An update that leaves the template alone is allowed; else what the old one violated in the same way is left out.
6. Where the namespace's labels could not be had, policies that ask for them deny, whatever else they say.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, TypeAlias

from casemate.catalogue.tables import Catalogue
from casemate.decide.need import NEED_LABEL, TRUST_LABEL
from casemate.model.policy import NODE, Decision, Operation, Policy, PolicyException, PolicySettings, Request, Verdict
from casemate.model.surroundings import Surroundings
from casemate.policy.asker import Asker, Role, asker
from casemate.policy.classes import Classes
from casemate.policy.exceptions import Exempting, in_force, until
from casemate.policy.fit import Fits
from casemate.policy.judge import CompiledPolicy, compile_policy
from casemate.policy.kept import Kept, Key, key_of
from casemate.policy.match import Answer, Subject
from casemate.policy.rights import ClassRights, account_of
from casemate.policy.shape import Shapes
from casemate.policy.verdict import ALLOWED, Judge, Set, exempt

_KUBE_SYSTEM: Final = "kube-system"
_CRITICAL: Final = "system-node-critical"
_MIRROR: Final = "kubernetes.io/config.mirror"
_NAMESPACES: Final = 20_000
_Known: TypeAlias = tuple[Mapping[str, str] | None, Set]

_START: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)


class PolicySet:
    """Policies and exceptions, compiled against what is known of the cluster. It is never changed, only replaced."""

    def __init__(
        self,
        policies: Sequence[Policy],
        exceptions: Sequence[PolicyException],
        surroundings: Surroundings,
        catalogue: Catalogue,
        settings: PolicySettings,
    ) -> None:
        self.classes = Classes(surroundings, catalogue, settings)
        self.settings = settings
        defaults = [self.classes.facts(each.spec.default) if each.spec.default else None for each in policies]
        rights = ClassRights(surroundings.use)
        compiled = [compile_policy(each, default, rights) for each, default in zip(policies, defaults, strict=True)]
        self.policies = tuple(sorted(compiled, key=lambda each: each.title))
        self._exceptions = tuple(Exempting(each) for each in exceptions)
        self.most = datetime.timedelta(days=settings.max_exception_days)
        self._known = (surroundings, catalogue)
        self._period = _Period(_START, _START, ())

    @cached_property
    def _shapes(self) -> Shapes:
        return Shapes(self._known[1])

    @cached_property
    def _fits(self) -> Fits:
        return Fits(*self._known)  # Compiles the catalogue, which not every set asks.

    @cached_property
    def namespace_keys(self) -> frozenset[str]:
        """The keys of namespace labels that decide which policies and exceptions are about it, or what it needs."""
        matchers = (*(each.matcher for each in self.policies), *(each.scope for each in self._exceptions))
        wanted = [each.namespaces for each in matchers if each.namespaces is not None]
        keys = {key for each in wanted for key in (*each.labels, *(one.key for one in each.expressions))}
        return frozenset(keys | ({NEED_LABEL, TRUST_LABEL} if any(each.asks_need for each in self.policies) else set()))

    @cached_property
    def class_keys(self) -> frozenset[str]:
        """The keys of RuntimeClass labels that decide what is permitted."""
        entries = (entry for each in self.policies for entry in each.document.spec.permitted or ())
        return frozenset(key for entry in entries if not isinstance(entry, str) for key in entry.labels)

    def evaluate(self, request: Request, now: datetime.datetime) -> Verdict:
        """The verdict on one request. `now` decides which exceptions hold, and has an offset from UTC."""
        period = self._at(now)
        namespace, labels = request.workload.namespace, request.namespace_labels
        known = period.sets.get(namespace)
        if known is None or (known[0] is not labels and known[0] != labels):
            known = self._select(period, namespace, labels)
        found = known[1]
        if found.empty:
            return found.verdict
        if request.operation is Operation.UPDATE:
            return self._judge(found, request)
        key = self._shaped(found, request) or key_of(request, found)
        verdict = period.kept.get(key)
        if verdict is None:
            verdict = self._judge(found, request)
            period.kept.keep(key, verdict)
        return verdict

    def _shaped(self, found: Set, request: Request) -> Key | None:
        """Everything that the verdict on what has a shape may depend on."""
        user, workload = request.user, request.workload
        if not found.by_shape or user.startswith(NODE) or workload.namespace == _KUBE_SYSTEM:
            return None
        account = account_of(workload) if found.asks_rights else ""
        shape = self._shapes.of(workload, found.parts, account)
        if shape is None:
            return None
        if not found.asking:
            return (found.alike, request.subresource), shape
        subject = Subject(workload, asker(user, request.groups))
        answers = tuple([each.rest(subject) for each in found.asking])
        return (found.alike, request.subresource, answers), shape

    def permitted(self, request: Request, names: Iterable[str], now: datetime.datetime) -> tuple[str, ...] | None:
        """Those of the classes that all policies which enforce permit to the request; None when none says anything."""
        found = self._select(self._at(now), request.workload.namespace, request.namespace_labels)[1]
        judge = Judge(found, self._fits, self.classes)
        return judge.permitted(request.workload, asker(request.user, request.groups), names)

    def _judge(self, found: Set, request: Request) -> Verdict:
        workload = request.workload
        who = asker(request.user, request.groups)
        if workload.namespace == _KUBE_SYSTEM and workload.spec.priorityClassName == _CRITICAL:
            found = found.only([each for each in found.policies if _names(each, _KUBE_SYSTEM)])
            if found.empty:
                return exempt("Pods of class system-node-critical in kube-system keep the node running")
        judge = Judge(found, self._fits, self.classes)
        return judge.mirror(request, who) if _is_mirror(request, who) else judge.verdict(request, who)

    def _at(self, now: datetime.datetime) -> _Period:
        """The period that `now` lies in. One thread may be in the old one while another begins the next."""
        period = self._period
        if not period.since <= now < period.until:
            held = tuple(in_force(self._exceptions, now, self.most))
            period = self._period = _Period(now, until(self._exceptions, now), held)
        return period

    def _select(self, period: _Period, namespace: str, labels: Mapping[str, str] | None) -> _Known:
        if len(period.sets) >= _NAMESPACES:
            period.sets.clear()
        known = period.sets[namespace] = (labels, self._set(period, namespace, labels))
        return known

    def _set(self, period: _Period, namespace: str, labels: Mapping[str, str] | None) -> Set:
        if namespace == self.settings.own_namespace:
            return Set((), frozenset(), (), labels, exempt("casemate's own namespace is not judged"))
        answers = [(each, _of_namespace(each, namespace, labels)) for each in self.policies]
        policies = tuple(each for each, answer in answers if answer is not Answer.NO)
        unknown = frozenset(each.title for each, answer in answers if answer is Answer.UNKNOWN)
        exceptions = tuple(each for each in period.held if _applies(each, namespace, labels))
        alike = tuple(map(id, (*policies, *exceptions)))  # This set outlives the period in which they are compared.
        whose = namespace if any(each.rights is not None for each in policies) else ""
        return Set(policies, unknown, exceptions, labels, ALLOWED, (whose, *alike))


class _Period:
    """A time in which the same exceptions are in force, and what was decided in it."""

    def __init__(self, since: datetime.datetime, until: datetime.datetime, held: tuple[Exempting, ...]) -> None:
        self.since = since
        self.until = until
        self.held = held
        self.sets: dict[str, _Known] = {}
        self.kept = Kept()


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """The one verdict on an object with several templates: denied when one is, else changed as all say."""
    found = tuple(verdicts)
    if len(found) == 1:
        return found[0]
    denied = any(each.decision is Decision.DENY for each in found)
    patch = () if denied else tuple(patch for each in found for patch in each.patch)
    names = dict.fromkeys(name for each in found for name in each.exception.split(", ") if name)
    return Verdict(
        decision=Decision.DENY if denied else Decision.CHANGE if patch else Decision.ALLOW,
        reasons=tuple(dict.fromkeys(reason for each in found for reason in each.reasons)),
        patch=patch,
        warnings=tuple(dict.fromkeys(text for each in found for text in each.warnings)),
        exception=", ".join(names),
    )


def _of_namespace(policy: CompiledPolicy, namespace: str, labels: Mapping[str, str] | None) -> Answer:
    own = policy.document.namespace
    if (own and own != namespace) or (not namespace and policy.matcher.namespaces is not None):
        return Answer.NO
    return policy.matcher.namespace(namespace, labels)


def _applies(exception: Exempting, namespace: str, labels: Mapping[str, str] | None) -> bool:
    scope = exception.scope
    return bool(namespace or scope.namespaces is None) and scope.namespace(namespace, labels) is Answer.YES


def _names(policy: CompiledPolicy, namespace: str) -> bool:
    match = policy.document.spec.match.namespaces
    return policy.document.namespace == namespace or (match is not None and namespace in match.names)


def _is_mirror(request: Request, who: Asker) -> bool:
    workload = request.workload
    return workload.kind == "Pod" and who.role is Role.NODE and _MIRROR in workload.metadata.annotations
