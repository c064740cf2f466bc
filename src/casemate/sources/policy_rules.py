"""What types cannot say of policies and exceptions: every word means what its author reads.

1. Names, labels and selectors are written as Kubernetes writes them. A namespaced policy has a namespace and does not
   choose among namespaces; the others have none.
2. A condition that is written has something in it: an empty one would hold for all.
3. `permitted`: each entry is a name, a boundary (`vm`, `>=vm`) or labels, and one of them. Unset is the name "".
4. Annotations that an entry lists reconfigure a sandbox: of others it says nothing.
5. An exception has a reason, an owner, an expiry, policies, rules that can be accepted, and a scope.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Final

from casemate.model.boundary import Boundary
from casemate.model.kube.meta import LabelSelectorRequirement
from casemate.model.policy import (
    EXCEPTABLE,
    SANDBOX_ANNOTATIONS,
    ExceptionSpec,
    Match,
    Permit,
    Policy,
    PolicyException,
)
from casemate.sources.decode import Raw
from casemate.sources.marks import Path
from casemate.sources.problems import Problem, near_miss
from casemate.sources.rules import formats as f

NEED: Final = "need"
_BOUNDARIES: Final = tuple(str(each) for each in Boundary if each is not Boundary.UNKNOWN)
_AT_LEAST: Final = ">="
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2}))?")
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]*(/\*\*)?")
_KINDS: Final = (
    "Pod",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
)
_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_CONDITIONS: Final = ("podLabels", "serviceAccounts", "users", "groups", "images", "kinds")


def check_policy(raw: Raw, policy: Policy, *, namespaced: bool) -> Iterator[Problem]:
    """Everything that is wrong with a policy."""
    spec = policy.spec
    yield from _metadata(raw, policy.name, policy.namespace, namespaced=namespaced)
    if namespaced and spec.match.namespaces is not None:
        place = ("spec", "match", "namespaces")
        yield raw.problem(place, "a namespaced policy is about its own namespace", "remove it")
    yield from _match(raw, spec.match, ("spec", "match"))
    if spec.default and (wrong := f.dns_subdomain(spec.default)):
        yield raw.problem(("spec", "default"), wrong, "write the name of a RuntimeClass")
    for index, entry in enumerate(spec.permitted or ()):
        yield from _entry(raw, entry, ("spec", "permitted", index))
    if spec.minimum:
        yield from _boundary(raw, spec.minimum, ("spec", "minimum"), (*_BOUNDARIES, NEED))
    if spec.hardening:
        yield from _boundary(raw, spec.hardening.below, ("spec", "hardening", "below"), _BOUNDARIES)
        if not spec.hardening.require:
            yield raw.problem(("spec", "hardening", "require"), "requires nothing", "list the parts that it requires")


def check_exception(raw: Raw, exception: PolicyException, namespace: str) -> Iterator[Problem]:
    """Everything that is wrong with an exception."""
    spec = exception.spec
    yield from _metadata(raw, exception.name, namespace, namespaced=False)
    for field, text in (("reason", spec.reason), ("owner", spec.owner)):
        if not text.strip():
            yield raw.problem(("spec", field), "says nothing", f"an exception needs its {field}")
    yield from _accepted(raw, spec)
    if spec.scope == Match():
        fix = "name at least one condition: what holds for everything is a policy"
        yield raw.problem(("spec", "scope"), "is wide open", fix)
    yield from _match(raw, spec.scope, ("spec", "scope"))


def _accepted(raw: Raw, spec: ExceptionSpec) -> Iterator[Problem]:
    if not _is_date(spec.expires):
        fix = "write a date (2026-12-31) or a time (2026-12-31T12:00:00Z)"
        yield raw.problem(("spec", "expires"), f'"{spec.expires}" is no date', fix)
    for name, listed in (("policies", spec.policies), ("rules", spec.rules)):
        if not listed:
            yield raw.problem(("spec", name), "names none", f"list the {name} that it is about")
    for index, rule in enumerate(spec.rules):
        if rule not in EXCEPTABLE:
            fix = f"these can be: {', '.join(sorted(EXCEPTABLE))}"
            yield raw.problem(("spec", "rules", index), f"{rule} cannot be accepted", fix)
    for index, name in enumerate(spec.permitted):
        yield from _class_name(raw, name, ("spec", "permitted", index))
    for index, title in enumerate(spec.policies):
        if any(map(f.dns_subdomain, title.split("/", 1))):
            fix = "write its name, or namespace/name"
            yield raw.problem(("spec", "policies", index), f'"{title}" is no policy', fix)


def _metadata(raw: Raw, name: str, namespace: str, *, namespaced: bool) -> Iterator[Problem]:
    if not name:
        yield raw.problem(("metadata",), "name is missing", "add metadata.name")
    elif wrong := f.dns_subdomain(name):
        yield raw.problem(("metadata", "name"), wrong)
    if namespaced and not namespace:
        yield raw.problem(("metadata",), "namespace is missing", "add metadata.namespace")
    elif namespace and not namespaced:
        fix = "remove it; a NamespacedIsolationPolicy is about one namespace"
        yield raw.problem(("metadata", "namespace"), f"{raw.value.get('kind')} has no namespace", fix)


def _match(raw: Raw, match: Match, path: Path) -> Iterator[Problem]:
    yield from _written(raw, path, _CONDITIONS)
    if match.namespaces is not None:
        yield from _namespaces(raw, match, (*path, "namespaces"))
    for key, text in match.podLabels.items():
        yield from _label(raw, key, text, (*path, "podLabels", key))
    yield from _identities(raw, match, path)
    for index, text in enumerate(match.images):
        if not _IMAGE.fullmatch(text):
            fix = "write a repository, one with a tag or digest, or everything below a path: ghcr.io/acme/**"
            yield raw.problem((*path, "images", index), f'"{text}" is no image', fix)
    for index, kind in enumerate(match.kinds):
        if not _KIND.fullmatch(kind):
            fix = near_miss(kind.removesuffix("s"), _KINDS) or "write a kind such as Deployment"
            yield raw.problem((*path, "kinds", index), f'"{kind}" is no kind', fix)


def _identities(raw: Raw, match: Match, path: Path) -> Iterator[Problem]:
    for index, account in enumerate(match.serviceAccounts):
        if any(map(f.dns_subdomain, account.split("/", 1))):
            fix = "write its name, or namespace/name; system:serviceaccount:… is a user"
            yield raw.problem((*path, "serviceAccounts", index), f'"{account}" is no service account', fix)
    for name, texts in (("users", match.users), ("groups", match.groups)):
        for index, text in enumerate(texts):
            if not text or "*" in text:
                yield raw.problem((*path, name, index), f'"{text}" is no whole name', "write it as the API server does")


def _namespaces(raw: Raw, match: Match, path: Path) -> Iterator[Problem]:
    wanted = match.namespaces
    if wanted is None:
        return
    yield from _written(raw, path, ("names", "labels", "expressions"))
    if not wanted.names and not wanted.labels and not wanted.expressions:
        yield raw.problem(path, "asks for nothing", "give names, labels or expressions, or remove it")
    for index, name in enumerate(wanted.names):
        if wrong := f.dns_label(name):
            yield raw.problem((*path, "names", index), wrong, "names are whole names; choose several by labels")
    for key, text in wanted.labels.items():
        yield from _label(raw, key, text, (*path, "labels", key))
    for index, each in enumerate(wanted.expressions):
        yield from _expression(raw, each, (*path, "expressions", index))


def _expression(raw: Raw, wanted: LabelSelectorRequirement, path: Path) -> Iterator[Problem]:
    if wrong := f.qualified_name(wanted.key):
        yield raw.problem((*path, "key"), wrong)
    if wanted.operator not in _OPERATORS:
        fix = near_miss(wanted.operator, _OPERATORS) or f"write one of {', '.join(_OPERATORS)}"
        yield raw.problem((*path, "operator"), f'no operator "{wanted.operator}"', fix)
    elif (wanted.operator in ("In", "NotIn")) != bool(wanted.values):
        needs = "needs values" if not wanted.values else "takes no values"
        yield raw.problem(path, f"{wanted.operator} {needs}")


def _written(raw: Raw, path: Path, names: tuple[str, ...]) -> Iterator[Problem]:
    """Conditions that are written and empty (rule 2)."""
    here: object = raw.value
    for step in path:
        here = here.get(str(step)) if isinstance(here, dict) else None
    for name in names:
        if isinstance(here, dict) and here.get(name) in ([], {}):
            fix = "remove it: what is absent holds for all"
            yield raw.problem((*path, name), "is empty, which would hold for all", fix)


def _label(raw: Raw, key: str, text: str, path: Path) -> Iterator[Problem]:
    if wrong := f.qualified_name(key) or f.label_value(text):
        yield raw.problem(path, wrong)


def _entry(raw: Raw, entry: str | Permit, path: Path) -> Iterator[Problem]:
    if isinstance(entry, str):
        yield from _class_name(raw, entry, path)
        return
    given = [name for name in ("name", "boundary", "labels") if getattr(entry, name) not in (None, "", {})]
    given += ["name"] if entry.name == "" else []
    if len(given) != 1:
        fix = "an entry is a name, a boundary or labels"
        yield raw.problem(path, f"{' and '.join(given) or 'nothing'} in one entry", fix)
    if entry.name is not None:
        yield from _class_name(raw, entry.name, (*path, "name"))
    if entry.boundary:
        yield from _boundary(raw, entry.boundary.removeprefix(_AT_LEAST), (*path, "boundary"), _BOUNDARIES)
    for key, text in entry.labels.items():
        yield from _label(raw, key, text, (*path, "labels", key))
    for index, listed in enumerate(entry.annotations):
        if not listed.startswith(SANDBOX_ANNOTATIONS) or "*" in listed[:-1]:
            fix = f"a whole name, or one that ends with *, below {', '.join(SANDBOX_ANNOTATIONS)}"
            yield raw.problem((*path, "annotations", index), f'"{listed}" reconfigures no sandbox', fix)


def _class_name(raw: Raw, name: str, path: Path) -> Iterator[Problem]:
    if name and (wrong := f.dns_subdomain(name)):
        boundary = name.removeprefix(_AT_LEAST)
        fix = f'write {{boundary: "{name}"}}' if boundary in _BOUNDARIES else "write the name of a RuntimeClass"
        yield raw.problem(path, wrong, fix)


def _boundary(raw: Raw, text: str, path: Path, words: tuple[str, ...]) -> Iterator[Problem]:
    if text not in words:
        fix = near_miss(text, words) or f"write one of {', '.join(words)}"
        yield raw.problem(path, f'"{text}" is no boundary', fix)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True
