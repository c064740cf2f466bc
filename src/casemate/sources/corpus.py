"""Read the bypass corpus: a folder with `setting.yaml`, `policies/` and `cases/` (corpus/README.md).

1. A case is strict: an unknown field, kind or policy is an error with its file and line.
2. `pod` and `old` are merged (RFC 7396) over one plain Pod; `in` wraps the result in each kind.
3. `repeat` makes long lists and maps that nobody wants to write out.
4. `text` goes over the wire as it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from casemate.errors import InputError
from casemate.model.corpus import Corpus, Force, Object, Try
from casemate.model.policy import Decision, Operation, Rule
from casemate.sources import policies
from casemate.sources.parse import Parsed, parse
from casemate.sources.problems import raise_for
from casemate.sources.templates import wrap

CLOCK = "2026-11-01T00:00:00Z"
USER = "alice"
GROUPS = ("tenants", "system:authenticated")
NAMESPACE = "team-a"
IMAGE = "registry.example.com/team-a/app:1"


_YAML_NAMES = {"kinds": "in", "class_name": "class"}  # words that Python keeps


class _Repeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: str
    times: int
    value: object
    last: Object


class _Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_YAML_NAMES):
    id: str
    tries: str
    source: str
    expect: Decision
    policies: tuple[str, ...]
    pod: Object = {}
    object: Object | None = None
    kinds: tuple[str, ...] = ()
    old: Object | None = None
    operation: Operation = Operation.CREATE
    subresource: str = ""
    verb: str = "post"
    user: str = USER
    groups: tuple[str, ...] = GROUPS
    namespace: str = NAMESPACE
    clock: str = CLOCK
    text: str = ""
    repeat: _Repeat | None = None
    rule: Rule | None = None
    class_name: str | None = None
    api: bool = False
    refused: bool = False


def load(folder: Path) -> Corpus:
    """The corpus in that folder. Raises `InputError` for whatever is not as corpus/README.md says."""
    if not (folder / "setting.yaml").is_file():
        raise InputError("no corpus here: setting.yaml is missing", where=str(folder), fix="name the corpus' folder")
    setting = policies.load([str(folder / "setting.yaml")], io.BytesIO())
    forces = {file.stem: _force(file) for file in sorted((folder / "policies").glob("*.yaml"))}
    tries = tuple(each for file in sorted((folder / "cases").glob("*.yaml")) for each in _tries(file, forces))
    whole = msgspec.structs.replace(setting.surroundings, complete=True)
    return Corpus(tries=tries, policies=forces, surroundings=whole, setting=_objects(folder / "setting.yaml"))


def _force(file: Path) -> Force:
    read = policies.load([str(file)], io.BytesIO())
    return Force(policies=read.policies, exceptions=read.exceptions, documents=_objects(file))


def _objects(file: Path) -> tuple[Object, ...]:
    return tuple(msgspec.convert(each.value, Object) for each in _documents(file))


def _documents(file: Path) -> list[Parsed]:
    documents, problems = parse(file.read_bytes(), str(file))
    raise_for(problems)
    return documents


def _tries(file: Path, forces: dict[str, Force]) -> Iterator[Try]:
    for document in _documents(file):
        rows = document.value if isinstance(document.value, list) else [document.value]
        for number, row in enumerate(rows):
            where = f"{file}:{document.marks.at((number,)).line}"
            case = _case(row, where)
            _check(case, forces, where)
            yield from _expanded(case, where)


def _case(row: object, where: str) -> _Case:
    try:
        return msgspec.convert(row, _Case)
    except msgspec.ValidationError as error:
        raise InputError(str(error), where=where, fix="corpus/README.md lists a case's fields") from error


def _check(case: _Case, forces: dict[str, Force], where: str) -> None:
    unknown = [name for name in case.policies if name not in forces]
    if unknown:
        raise InputError(f"no file policies/{unknown[0]}.yaml", where=where)


def _expanded(case: _Case, where: str) -> Iterator[Try]:
    for kind in case.kinds or ("Pod",):
        yield Try(
            id=f"{case.id}/{kind}" if case.kinds else case.id,
            body=case.text.encode() or msgspec.json.encode(_written(case, kind)),
            old=None if case.old is None else _whole(case.old, case, kind),
            **{name: getattr(case, name) for name in _SAME},
            where=where,
        )


_SAME = sorted(set(_Case.__struct_fields__) & set(Try.__struct_fields__) - {"id", "old"})


def _written(case: _Case, kind: str) -> Object:
    if case.object is not None:
        return case.object
    return _wrapped(_repeated(_pod(case.pod, case), case.repeat), kind)


def _whole(old: Object, case: _Case, kind: str) -> Object:
    return old if "kind" in old else _wrapped(_pod(old, case), kind)


def _wrapped(pod: Object, kind: str) -> Object:
    return pod if kind == "Pod" else wrap(pod, kind)


def _pod(patch: Object, case: _Case) -> Object:
    plain: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "attack", "namespace": case.namespace},
        "spec": {"containers": [{"name": "app", "image": IMAGE}]},
    }
    merged = merge(plain, patch)
    assert isinstance(merged, dict)
    return merged


def merge(target: object, patch: object) -> object:
    """`target` with a JSON merge patch applied (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = merge(kept.get(key), value)
    return kept


def _repeated(pod: Object, repeat: _Repeat | None) -> Object:
    if repeat is None:
        return pod
    outer, _, inner = repeat.path.partition(".")
    part = pod[outer]
    assert isinstance(part, dict)
    return pod | {outer: part | {inner: _many(repeat)}}


def _many(repeat: _Repeat) -> object:
    if isinstance(repeat.value, str):
        return {f"example.com/x{number}": repeat.value for number in range(repeat.times)} | repeat.last
    numbered = [_numbered(repeat.value, number) for number in range(repeat.times)]
    return [*numbered, repeat.last]


def _numbered(value: object, number: int) -> object:
    if isinstance(value, dict):
        return {key: str(each).format(number) for key, each in value.items()}
    return value
