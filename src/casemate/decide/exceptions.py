"""Accepted risks: which findings somebody answers for, why, and until when.

1. An exception names its scope (rules, kind, namespace, name; each a pattern), a reason, an owner and the last day on
   which it holds. All of them are required. Inline, annotations of an object are an exception for that object.
2. A scope that is wide open is a mistake: some letters of a namespace or a name must be in it, and all rules (`*`) can
   be accepted of one workload only.
3. Exceptions intersect, never add up: a finding that several are about is accepted only while all of them hold, until
   the first of them ends. So an exception cannot be prolonged by a wider one beside it; one changes its date.
4. An expired exception accepts nothing. One that is about nothing is unused. Both are reported, so that they go.
5. An inline exception that lacks something is none: it accepts nothing, takes nothing away, and is reported as expired,
   with what it lacks as reason. It is not an error, as the manifest may be somebody else's.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from casemate.model.acceptance import AuditedException, ExceptionStatus
from casemate.model.assessment import Assessed, Suppression
from casemate.model.workload import Workload
from casemate.sources.marks import Marks, Path
from casemate.sources.parse import Value
from casemate.sources.parse import parse as parse_yaml
from casemate.sources.problems import Problem, near_miss, printable, raise_for

API_VERSION: Final = "casemate.dev/v1alpha1"
KIND: Final = "ExceptionList"
ANNOTATION: Final = "casemate.dev/accept"

_NEEDS: Final = "an exception needs scope (rules, kind, namespace, name), reason, owner and expires"
_FIELDS: Final = ("scope", "reason", "owner", "expires")
_SCOPE: Final = ("rules", "kind", "namespace", "name")
_WILD: Final = re.compile(r"[*?\[]")
_LETTERS: Final = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One exception. `expires` is None where an inline one does not say it rightly; `lacks` then says what is wrong."""

    rules: tuple[str, ...]
    kind: str
    namespace: str
    name: str
    reason: str
    owner: str
    expires: datetime.date | None
    where: str
    lacks: str = ""

    @property
    def scope(self) -> str:
        """What it is about, for a person."""
        return f"{self.kind} {self.namespace}/{self.name}"

    def holds(self, today: datetime.date) -> bool:
        """Whether it accepts anything on that day: the last one counts."""
        return self.expires is not None and not self.lacks and today <= self.expires

    def covers(self, workload: Workload) -> bool:
        """Whether the workload is in its scope."""
        return (
            _matches(self.name, workload.name)
            and _matches(self.namespace, workload.namespace)
            and _matches(self.kind, workload.kind)
        )

    def about(self, rule: str) -> bool:
        """Whether the rule is in its scope."""
        return any(_matches(pattern, rule) for pattern in self.rules)


def parse(data: bytes, where: str) -> tuple[Accepted, ...]:
    """The exceptions of a file. Raises InputError that lists every mistake with `file:line`."""
    documents, problems = parse_yaml(data, where)
    reading = _Reading(where, problems)
    found = [each for document in documents for each in reading.document(document.value, document.marks)]
    if not documents and not problems:
        problems.append(Problem(where, "no exceptions in it", f"begin with kind: {KIND}"))
    raise_for(problems)
    return tuple(found)


class _Reading:
    """Reads one file and collects what is wrong with it."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems
        self._marks = Marks(1, 1)

    def document(self, value: Value, marks: Marks) -> Iterator[Accepted]:
        """The exceptions of one document."""
        self._marks = marks
        if not isinstance(value, dict) or (value.get("apiVersion"), value.get("kind")) != (API_VERSION, KIND):
            self._note((), "not a list of exceptions", f"begin with apiVersion: {API_VERSION} and kind: {KIND}")
            return
        self._known(value, ("apiVersion", "kind", "metadata", "items"), ())
        items = value.get("items")
        if not isinstance(items, list):
            self._note(("items",), "items is no list", "list the exceptions below items:")
            return
        for index, item in enumerate(items):
            if (found := self._item(item, ("items", index))) is not None:
                yield found

    def _item(self, item: Value, path: Path) -> Accepted | None:
        if not isinstance(item, dict):
            self._note(path, "an exception is a mapping", f"give it {', '.join(_FIELDS)}")
            return None
        before = len(self._problems)
        self._known(item, _FIELDS, path)
        scope = item.get("scope")
        inside: dict[str, Value] = scope if isinstance(scope, dict) else {}
        if isinstance(scope, dict):
            self._known(scope, _SCOPE, (*path, "scope"))
        elif scope is not None:
            self._note((*path, "scope"), "scope is a mapping", f"give it {', '.join(_SCOPE)}")
        rules = self._rules(inside.get("rules"), (*path, "scope", "rules"))
        kind, namespace, name = (
            self._text(inside, key, (*path, "scope"), empty=key == "namespace") for key in _SCOPE[1:]
        )
        reason, owner = (self._text(item, key, path) for key in ("reason", "owner"))
        expires = self._date(item.get("expires"), (*path, "expires"))
        if len(self._problems) == before and (wide := too_wide(rules, namespace, name)):
            self._note((*path, "scope"), f"the scope is too wide: {wide}", "name what the reason is about")
        if len(self._problems) > before:
            return None
        return Accepted(rules, kind, namespace, name, reason, owner, expires, self._at(path).rpartition(":")[0])

    def _known(self, value: Mapping[str, Value], known: Sequence[str], path: Path) -> None:
        for key in value:
            if key not in known:
                self._note((*path, key), f"unknown field `{printable(key)}`", near_miss(key, known))

    def _rules(self, value: Value, path: Path) -> tuple[str, ...]:
        rules = tuple(each for each in value if isinstance(each, str) and each) if isinstance(value, list) else ()
        if not rules or (isinstance(value, list) and len(rules) < len(value)):
            self._note(path, "the exception does not say which rules it accepts", "write rules: [CM001]")
        return rules

    def _text(self, value: Mapping[str, Value], key: str, path: Path, *, empty: bool = False) -> str:
        text = value.get(key)
        if isinstance(text, str) and (text.strip() or empty):
            return text
        what = f"`{key}` is missing" if text is None else f"`{key}` is no text"
        self._note((*path, key), what, _NEEDS)
        return ""

    def _date(self, value: Value, path: Path) -> datetime.date | None:
        found = date(value)
        if found is None:
            what = "`expires` is missing" if value is None else f"`expires` is no date: {printable(str(value), 40)}"
            self._note(path, what, "write the last day on which it holds: expires: 2027-03-31")
        return found

    def _at(self, path: Path) -> str:
        here = self._marks.at(path)
        return f"{self._file}:{here.line}:{here.column}"

    def _note(self, path: Path, what: str, fix: str) -> None:
        self._problems.append(Problem(self._at(path), what, fix))


def date(value: object) -> datetime.date | None:
    """A day written as `2027-03-31`."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        return None


def too_wide(rules: Iterable[str], namespace: str, name: str) -> str:
    """What is too wide about a scope; empty when nothing is (rule 2)."""
    if not _LETTERS.search(namespace) and not _LETTERS.search(name):
        return "it is about every workload"
    if not all(map(_LETTERS.search, rules)) and (_WILD.search(name) or _WILD.search(namespace)):
        return "it accepts every rule of several workloads"
    return ""


def apply(
    items: Sequence[Assessed], exceptions: Sequence[Accepted], today: datetime.date
) -> tuple[tuple[Assessed, ...], tuple[AuditedException, ...]]:
    """The items with what is accepted of them, in the same order, and what became of every exception."""
    matched: Counter[Accepted] = Counter(dict.fromkeys(exceptions, 0))
    return tuple(_suppressed(item, exceptions, today, matched) for item in items), tuple(
        _audited(each, count, today) for each, count in matched.items()
    )


def _suppressed(
    item: Assessed, exceptions: Sequence[Accepted], today: datetime.date, matched: Counter[Accepted]
) -> Assessed:
    covering = [each for each in exceptions if each.covers(item.workload)]
    covering += (own := list(inline(item.workload)))
    matched.update(dict.fromkeys(own, 0))
    if not covering:
        return item
    rules = Counter(finding.rule for finding in item.findings)
    suppressions = []
    for rule, count in rules.items():
        about = [each for each in covering if each.about(rule)]
        matched.update(dict.fromkeys(about, count))
        concerned = [each for each in about if not each.lacks]
        if concerned and all(each.holds(today) for each in concerned):
            first = min(concerned, key=lambda each: each.expires or today)
            suppressions.append(
                Suppression(rule=rule, reason=first.reason, owner=first.owner, expires=str(first.expires))
            )
    return replace(item, suppressions=tuple(suppressions))


def _audited(each: Accepted, count: int, today: datetime.date) -> AuditedException:
    holds = each.holds(today)
    status = (ExceptionStatus.MATCHED if count else ExceptionStatus.UNUSED) if holds else ExceptionStatus.EXPIRED
    return AuditedException(
        rules=each.rules,
        scope=each.scope,
        reason=each.lacks or each.reason,
        owner=each.owner,
        expires=str(each.expires or ""),
        status=status,
        where=each.where,
        matched=count,
    )


def inline(workload: Workload) -> Iterator[Accepted]:
    """The exceptions in the annotations of a workload's object and of its template, each where it stands."""
    yield from dict.fromkeys(
        _inline(workload, each)
        for each in (workload.object_annotations, workload.metadata.annotations)
        if ANNOTATION in each
    )


def _inline(workload: Workload, annotations: Mapping[str, str]) -> Accepted:
    rules = tuple(each.strip() for each in annotations[ANNOTATION].split(",") if each.strip())
    reason, owner, expires = (annotations.get(f"{ANNOTATION}-{key}", "").strip() for key in _FIELDS[1:])
    given = {"rules": rules, "reason": reason, "owner": owner, "expires": date(expires)}
    lacks = ", ".join(key for key, value in given.items() if not value)
    return Accepted(
        rules=rules,
        kind=workload.kind,
        namespace=workload.namespace,
        name=workload.name,
        reason=reason,
        owner=owner,
        expires=date(expires),
        where=f"{workload.title} ({workload.source})" if workload.source.file else workload.title,
        lacks=f"not valid: {lacks} missing or wrong" if lacks else "",
    )


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _matches(pattern: str, text: str) -> bool:
    return pattern == text or (bool(_WILD.search(pattern)) and bool(_pattern(pattern).match(text)))
