"""Read isolation policies and exceptions, strictly, with what stands next to them.

1. Documents of `casemate.dev/v1alpha1`: IsolationPolicy, NamespacedIsolationPolicy, IsolationException. RuntimeClass,
   Node and Namespace objects in the same input are surroundings. Objects of other groups are passed over.
2. An unknown field, an unknown kind of ours, and a field that is written without a value are mistakes: each would make
   a policy say something else than its author reads (`casemate.sources.policy_rules`).
3. No two documents of a kind have the same name.
4. All mistakes of all inputs are raised together, each with its position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import msgspec

from casemate.model.kube.meta import ObjectMeta
from casemate.model.policy import Document, ExceptionSpec, Policy, PolicyException, PolicySpec
from casemate.model.surroundings import Surroundings
from casemate.sources.decode import Raw, convert, objects
from casemate.sources.fast_files import contents
from casemate.sources.marks import Marks, Path, shown
from casemate.sources.parse import Value, parse
from casemate.sources.policy_rules import check_exception, check_policy
from casemate.sources.problems import Problem, near_miss, printable, raise_for
from casemate.sources.shape import group_of
from casemate.sources.surroundings import Neighbours

GROUP: Final = "casemate.dev"
API_VERSION: Final = f"{GROUP}/v1alpha1"
POLICY: Final = "IsolationPolicy"
NAMESPACED: Final = "NamespacedIsolationPolicy"
EXCEPTION: Final = "IsolationException"
_KINDS: Final = (POLICY, NAMESPACED, EXCEPTION)


class _PolicyObject(Document, frozen=True, kw_only=True):
    apiVersion: str  # noqa: N815 - the API's name
    kind: str
    metadata: ObjectMeta
    spec: PolicySpec
    status: dict[str, object] = msgspec.field(default_factory=dict)


class _ExceptionObject(Document, frozen=True, kw_only=True):
    apiVersion: str  # noqa: N815
    kind: str
    metadata: ObjectMeta
    spec: ExceptionSpec
    status: dict[str, object] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A document as it was written: its title, and where each of its fields stands; nowhere, in a cluster."""

    kind: str
    title: str
    file: str = ""
    marks: Marks | None = None

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a field, or of the nearest one around it; in a cluster the object and the field."""
        if self.marks is None:
            return f"{self.kind} {self.title}: {shown(path)}"
        here = self.marks.at(path)
        return f"{self.file}:{here.line}:{here.column}"

    def line(self, *path: str | int) -> int:
        """The line of a field; 0 in a cluster."""
        return self.marks.at(path).line if self.marks else 0


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """Everything that was read. `documents` are those of the policies, then those of the exceptions, in their order."""

    policies: tuple[Policy, ...]
    exceptions: tuple[PolicyException, ...]
    surroundings: Surroundings
    documents: tuple[PolicyDocument, ...]


def load(inputs: Sequence[str], stdin: BinaryIO) -> PolicyInput:
    """The policies and exceptions of files, folders and `-`. Raises `InputError` that lists every mistake."""
    reading = _Reading()
    for content in contents(inputs, stdin):
        if isinstance(content, Problem):
            reading.problems.append(content)
        else:
            reading.take(content.data, printable(content.file))
    return reading.finished()


def decode_policy(value: dict[str, object], where: str) -> Policy:
    """One decoded IsolationPolicy or NamespacedIsolationPolicy. Raises `InputError`."""
    found = _policy(_raw(value, where))
    if isinstance(found, list):
        raise_for(found)
    assert isinstance(found, Policy)
    return msgspec.structs.replace(found, where=where)


def decode_exception(value: dict[str, object], where: str) -> PolicyException:
    """One decoded IsolationException. Raises `InputError`."""
    found = _exception(_raw(value, where))
    if isinstance(found, list):
        raise_for(found)
    assert isinstance(found, PolicyException)
    return msgspec.structs.replace(found, where=where)


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._policies: list[tuple[Policy, PolicyDocument]] = []
        self._exceptions: list[tuple[PolicyException, PolicyDocument]] = []
        self._neighbours = Neighbours()
        self._first: dict[tuple[str, str], str] = {}

    def take(self, data: bytes, file: str) -> None:
        """Read one file."""
        documents, problems = parse(data, file)
        self.problems += problems
        for document in documents:
            for raw in objects(document.value, document.marks, file):
                if isinstance(raw, Problem):
                    self.problems.append(raw)
                else:
                    self._object(raw)

    def finished(self) -> PolicyInput:
        """All of it. Raises `InputError` for all that is wrong."""
        raise_for(self.problems)
        return PolicyInput(
            policies=tuple(each for each, _ in self._policies),
            exceptions=tuple(each for each, _ in self._exceptions),
            surroundings=self._neighbours.around((), complete=False),
            documents=tuple(document for _, document in (*self._policies, *self._exceptions)),
        )

    def _object(self, raw: Raw) -> None:
        kind = raw.value.get("kind")
        if group_of(raw.value.get("apiVersion")) != GROUP:
            if kind in _KINDS:
                self.problems.append(raw.problem(("apiVersion",), f"no {kind} there", f"write {API_VERSION}"))
            self._neighbours.take(dict(raw.value))
            return
        found = _document(raw)
        if isinstance(found, list):
            self.problems += found
            return
        document = PolicyDocument(str(kind), _title(found), raw.file, raw.marks)
        first = self._first.setdefault((type(found).__name__, document.title), document.where())
        if first != document.where():
            fix = "give one of them another name"
            self.problems.append(raw.problem(("metadata", "name"), f"{document.title} is also in {first}", fix))
        if isinstance(found, Policy):
            self._policies.append((msgspec.structs.replace(found, where=document.where()), document))
        else:
            self._exceptions.append((msgspec.structs.replace(found, where=document.where()), document))


def _document(raw: Raw) -> Policy | PolicyException | list[Problem]:
    kind, version = raw.value.get("kind"), raw.value.get("apiVersion")
    if kind not in _KINDS:
        fix = near_miss(str(kind), _KINDS) or f"casemate has {', '.join(_KINDS)}"
        return [raw.problem(("kind",), f"no kind {kind} in {GROUP}", fix)]
    if version != API_VERSION:
        return [raw.problem(("apiVersion",), f"{kind} has no version {version}", f"write {API_VERSION}")]
    return _exception(raw) if kind == EXCEPTION else _policy(raw)


def _policy(raw: Raw) -> Policy | list[Problem]:
    found = convert(raw, _PolicyObject)
    wrong = [*_empty(raw), *(found if isinstance(found, list) else ())]
    if isinstance(found, list):
        return wrong
    policy = Policy(name=found.metadata.name or "", spec=found.spec, namespace=found.metadata.namespace or "")
    return [*wrong, *check_policy(raw, policy, namespaced=found.kind == NAMESPACED)] or policy


def _exception(raw: Raw) -> PolicyException | list[Problem]:
    found = convert(raw, _ExceptionObject)
    wrong = [*_empty(raw), *(found if isinstance(found, list) else ())]
    if isinstance(found, list):
        return wrong
    exception = PolicyException(name=found.metadata.name or "", spec=found.spec)
    return [*wrong, *check_exception(raw, exception, found.metadata.namespace or "")] or exception


def _empty(raw: Raw) -> Iterator[Problem]:
    """Fields of the specification without a value: what is absent holds for all, which nobody means by them."""
    pending: list[tuple[Value, Path]] = [(raw.value.get("spec"), ("spec",))]
    while pending:
        value, path = pending.pop()
        if value is None:
            yield raw.problem(path, "has no value", "write one, or remove the field: what is absent holds for all")
        elif isinstance(value, dict):
            pending.extend((each, (*path, key)) for key, each in value.items())
        elif isinstance(value, list):
            pending.extend((each, (*path, index)) for index, each in enumerate(value))


def _title(found: Policy | PolicyException) -> str:
    return found.title if isinstance(found, Policy) else found.name


def _raw(value: dict[str, object], where: str) -> Raw:
    return Raw(cast("dict[str, Value]", value), Marks(1, 1), where)  # any decoded JSON is a `Value`
