"""Who may move what policies rest on: namespace labels, RuntimeClasses, and our own objects.

1. Guardians are groups (`PolicySettings.guardians`). They may move everything.
2. A label of a namespace is an anchor when a policy or an exception asks for its key. Nobody else sets, changes or
   removes it, also when the namespace is made, and through whatever subresource (CVE-2026-30963): a namespace that is
   made and labelled in one step would choose its own policies.
3. A RuntimeClass is an anchor as a whole: who makes, removes or re-points one says what a permitted class is. Others
   may only change its annotations, and labels that no policy asks for.
4. Our own objects are for RBAC to guard. They must be readable, and an exception must not expire too late. What an
   unreadable policy would have said is not known, so it is not let in.
5. Kubernetes' own controllers change none of these by themselves, so they need no exemption.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from casemate.errors import InputError
from casemate.model.policy import Decision, PolicyReason, Rule, Verdict
from casemate.policy.evaluate import PolicySet
from casemate.policy.exceptions import Exempting, last_end
from casemate.policy.judge import shown
from casemate.policy.match import matcher
from casemate.policy.verdict import ALLOWED
from casemate.sources.policies import EXCEPTION, decode_exception, decode_policy

Object: TypeAlias = dict[str, object]

_GUARDED: Final = ("handler", "scheduling", "overhead")


def namespace(
    policies: PolicySet,
    old: Mapping[str, str] | None,
    new: Mapping[str, str] | None,
    name: str,
    groups: Iterable[str],
) -> Verdict:
    """The verdict on a namespace that is made (`old` is None), changed, or removed (`new` is None)."""
    if new is None or _guards(policies, groups):
        return ALLOWED
    before = old or {}
    moved = sorted(key for key in policies.namespace_keys if before.get(key) != new.get(key))
    if not moved:
        return ALLOWED
    labels = ", ".join(map(shown, moved))
    text = f"policies choose namespaces by label {labels}; only guardians may move it on namespace {shown(name)}"
    return _refused(Rule.ANCHOR, text, f"metadata.labels[{moved[0]}]")


def runtime_class(policies: PolicySet, old: Object | None, new: Object | None, groups: Iterable[str]) -> Verdict:
    """The verdict on a RuntimeClass that is made, changed or removed."""
    if not policies.policies or _guards(policies, groups):
        return ALLOWED
    if old is None or new is None:
        verb = "make" if old is None else "remove"
        return _refused(Rule.ANCHOR, f"policies permit RuntimeClasses; only guardians may {verb} one", "")
    for field in _GUARDED:
        if old.get(field) != new.get(field):
            return _refused(Rule.ANCHOR, f"only guardians may change the {field} of a RuntimeClass", field)
    before, after = _labels(old), _labels(new)
    for key in sorted(policies.class_keys):
        if before.get(key) != after.get(key):
            text = f"policies permit classes by label {shown(key)}; only guardians may change it"
            return _refused(Rule.ANCHOR, text, f"metadata.labels[{key}]")
    return ALLOWED


def own_object(
    policies: PolicySet,
    old: Object | None,  # noqa: ARG001 - RBAC said who may change it; what it was does not matter
    new: Object | None,
    groups: Iterable[str],  # noqa: ARG001
    now: datetime.datetime,
) -> Verdict:
    """The verdict on a policy or exception that is made, changed or removed."""
    if new is None:
        return ALLOWED
    where = f"{new.get('kind')} {_name(new)}"
    try:
        if new.get("kind") != EXCEPTION:
            matcher(decode_policy(new, where).spec.match)
            return ALLOWED
        exception = Exempting(decode_exception(new, where))
    except InputError as error:
        return _refused(Rule.MALFORMED, str(error), "spec")
    if exception.ends > last_end(now, policies.most):
        text = f"it expires later than {policies.settings.max_exception_days} days from now, and would accept nothing"
        return _refused(Rule.MALFORMED, text, "spec.expires")
    return ALLOWED


def _guards(policies: PolicySet, groups: Iterable[str]) -> bool:
    return not set(policies.settings.guardians).isdisjoint(groups)


def _refused(rule: Rule, text: str, path: str) -> Verdict:
    return Verdict(decision=Decision.DENY, reasons=(PolicyReason(policy="", rule=rule, message=text, path=path),))


def _metadata(value: Object) -> Mapping[str, object]:
    found = value.get("metadata")
    return found if isinstance(found, dict) else {}


def _labels(value: Object) -> Mapping[str, object]:
    found = _metadata(value).get("labels")
    return found if isinstance(found, dict) else {}


def _name(value: Object) -> str:
    return shown(str(_metadata(value).get("name", "")))
