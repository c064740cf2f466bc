"""Fixes as text for other tools: a unified diff, or patches for Kustomize.

1. A diff compares object with object, so that its cost is that of what changed, and is one that `git apply` and
   `patch -p1` take.
2. Kustomize gets a Component: a folder with it is added to a kustomization's `components`. Kinds of Kubernetes are
   patched by strategic merge, in which containers are told by name; all others by JSON operations (RFC 6902), as
   Kustomize does not know how their lists merge.
3. Text of manifests is always quoted where it could be read as something else than text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise, takewhile
from typing import Final, TypeAlias

import msgspec

from casemate.model.edit import Edit, Fix, Json, Path, Remove, Set, applied
from casemate.model.workload import Workload

_CONTEXT: Final = 3
_BEGIN: Final = re.compile(r"""^(?:---(?=\s)|[ \t]*(?:- )?"?apiVersion"?:)""", re.MULTILINE)
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_TEXT: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_BUILT_IN: Final = {
    "Pod": "v1",
    "PodTemplate": "v1",
    "ReplicationController": "v1",
    "Deployment": "apps/",
    "ReplicaSet": "apps/",
    "StatefulSet": "apps/",
    "DaemonSet": "apps/",
    "Job": "batch/",
    "CronJob": "batch/",
}
_CONTAINERS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})

_Change: TypeAlias = tuple[int, int, int, int]
"""Lines from, to (before); from, to (after)."""


def diff(file: str, before: str, after: str) -> str:
    """What changed in a file, as a unified diff; empty when nothing did."""
    old, new = _LINE.findall(before), _LINE.findall(after)
    groups = list(_grouped(_changes(before, after)))
    if not groups:
        return ""
    name = file.lstrip("/")
    lines = [f"--- a/{name}\n", f"+++ b/{name}\n"]
    for group in groups:
        lines += _hunk(group, old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _changes(before: str, after: str) -> Iterator[_Change]:
    at, to = 0, 0
    olds, news = _objects(before), _objects(after)
    if len(olds) != len(news):
        olds, news = [before], [after]
    for one, other in zip(olds, news, strict=True):
        old, new = _LINE.findall(one), _LINE.findall(other)
        if one != other:
            lead = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))))
            for tag, a, b, c, d in SequenceMatcher(None, old[lead:], new[lead:]).get_opcodes():
                if tag != "equal":
                    yield at + lead + a, at + lead + b, to + lead + c, to + lead + d
        at, to = at + len(old), to + len(new)


def _objects(text: str) -> list[str]:
    begins = [0, *(match.start() for match in _BEGIN.finditer(text) if match.start()), len(text)]
    return [text[begin:end] for begin, end in pairwise(begins)]


def _grouped(changes: Iterable[_Change]) -> Iterator[list[_Change]]:
    """Changes whose context meets, together."""
    group: list[_Change] = []
    for change in changes:
        if group and change[0] - group[-1][1] > 2 * _CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(group: Sequence[_Change], old: Sequence[str], new: Sequence[str]) -> list[str]:
    first, last = group[0], group[-1]
    lead = min(_CONTEXT, first[0])
    begin, end = first[0] - lead, min(last[1] + _CONTEXT, len(old))
    begun, ended = first[2] - lead, last[3] + end - last[1]
    lines = [f"@@ -{_range(begin, end)} +{_range(begun, ended)} @@\n"]
    at = begin
    for a, b, c, d in group:
        lines += [f" {line}" for line in old[at:a]]
        lines += [f"-{line}" for line in old[a:b]]
        lines += [f"+{line}" for line in new[c:d]]
        at = b
    return lines + [f" {line}" for line in old[at:end]]


def _range(begin: int, end: int) -> str:
    count = end - begin
    return f"{begin + 1 if count else begin},{count}" if count != 1 else f"{begin + 1}"


def kustomize(fixes: Iterable[Fix]) -> str:
    """A Kustomize Component with a patch for each fix that has edits."""
    patches = "".join(_patch(each) for each in fixes if each.edits)
    head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    return f"{head}patches:\n{patches}" if patches else f"{head}patches: []\n"


def _patch(fix: Fix) -> str:
    workload = fix.workload
    if not workload.api_version.startswith(_BUILT_IN.get(workload.kind, "\0")):
        return _listed({"target": _target(workload)}, _yaml(_operations(fix)))
    return _listed(None, _yaml(_strategic(fix)))


def _listed(head: Json, patch: Iterable[str]) -> str:
    lines = [*(_yaml(head) if head else ()), "patch: |-", *(f"  {line}" for line in patch)]
    return "".join(f"{'- ' if index == 0 else '  '}{line}\n" for index, line in enumerate(lines))


def _target(workload: Workload) -> dict[str, Json]:
    group, _, version = workload.api_version.rpartition("/")
    found = {"group": group, "version": version, "kind": workload.kind, "name": workload.name}
    found["namespace"] = workload.namespace
    return {key: value for key, value in found.items() if value}


def _strategic(fix: Fix) -> Json:
    workload = fix.workload
    named: dict[str, Json] = {"name": workload.name}
    if workload.namespace:
        named["namespace"] = workload.namespace
    patch: dict[str, Json] = {"apiVersion": workload.api_version, "kind": workload.kind, "metadata": named}
    for edit in fix.edits:
        _merge(patch, edit.path, edit, workload)
    return patch


def _merge(here: dict[str, Json], path: Path, edit: Edit, workload: Workload) -> None:
    key = str(path[0])
    if len(path) == 1:
        here[key] = edit.value if isinstance(edit, Set) else None
    elif key in _CONTAINERS and str(path[1]).isdecimal():
        name = getattr(workload.spec, key)[int(path[1])].name
        items = here.setdefault(key, [])
        assert isinstance(items, list)
        item = next((each for each in items if isinstance(each, dict) and each["name"] == name), None)
        if item is None:
            items.append(item := {"name": name})
        _merge(item, path[2:], edit, workload)
    else:
        inner = here.setdefault(key, {})
        assert isinstance(inner, dict)
        _merge(inner, path[1:], edit, workload)


def _operations(fix: Fix) -> Json:
    workload = fix.workload
    spec: Json = msgspec.json.decode(msgspec.json.encode(workload.spec))
    root = _pointed(workload.path)
    operations: list[Json] = []
    for edit in fix.edits:
        inside = edit.path[: len(root)] == root
        if isinstance(edit, Remove):
            operations.append({"op": "remove", "path": _pointer(edit.path)})
            continue
        own = Set(edit.path[len(root) :], edit.value)
        depth = _there(spec, own.path) if inside else len(edit.path) - 1
        value: Json = own.value
        for step in reversed(own.path[depth + 1 :]):
            value = {str(step): value}
        operations.append({"op": "add", "path": _pointer((*root, *own.path[: depth + 1])), "value": value})
        spec = applied(spec, (own,))
    return operations


def _pointed(path: str) -> Path:
    """The steps of a path such as `spec.nodeSets[0].podTemplate.spec`."""
    return tuple(match[1] or match[2] for match in re.finditer(r"\.?([^.\[\]]+)|\[([^\]]*)\]", path))


def _there(value: Json, path: Path) -> int:
    """How many steps of a path lead to something that is there; at most all but the last."""
    for depth, step in enumerate(path[:-1]):
        if isinstance(value, list):
            value = value[int(step)]
        else:
            value = value.get(str(step)) if isinstance(value, dict) else None
        if value is None:
            return depth
    return len(path) - 1


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _yaml(value: Json) -> list[str]:
    """A value as lines of YAML."""
    if isinstance(value, dict) and value:
        lines = []
        for key, inner in value.items():
            nested = _yaml(inner)
            if isinstance(inner, dict | list) and inner and not _is_short(inner):
                lines += [f"{_scalar(key)}:", *(f"  {line}" for line in nested)]
            else:
                lines.append(f"{_scalar(key)}: {nested[0]}")
        return lines
    if isinstance(value, list) and value and not _is_short(value):
        return [f"{'- ' if index == 0 else '  '}{line}" for item in value for index, line in enumerate(_yaml(item))]
    if isinstance(value, list):
        return [f"[{', '.join(map(_scalar, value))}]"]
    return [_scalar(value)]


def _is_short(value: Json) -> bool:
    return isinstance(value, list) and not any(isinstance(each, dict | list) for each in value)


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value)
