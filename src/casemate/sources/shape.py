"""Where Pod templates stand in an object.

1. The built-in kinds have theirs at a known place, in every version of their API.
2. An object of any other group is searched: whatever holds `containers` with images is a Pod specification. `metadata`
   beside a key `spec` that holds it is its template's. `status` and the object's own metadata are not searched.
3. Objects that hold patterns of Pods rather than Pods are left out: policies, and definitions of resources.
4. A definition of a resource tells in its schema whether its objects can hold Pod specifications.
5. Steps and scripts of workflows, and the image of an operator's object, are containers without a Pod around them: a
   controller makes it, with its own class, account and volumes. They are told apart by an `image` beside what only a
   container has. What they will have cannot be said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from casemate.sources.marks import Path
from casemate.sources.parse import MAX_DEPTH

_TEMPLATE: Final[Path] = ("spec", "template")
_BUILT_IN: Final[dict[str, Path]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "Deployment": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "ReplicationController": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_GROUPS: Final = frozenset(("", "apps", "batch", "extensions"))
_PATTERNS: Final = ("kyverno.io", "gatekeeper.sh", "admissionregistration.k8s.io", "apiextensions.k8s.io")
_NOT_SEARCHED: Final = frozenset(("apiVersion", "kind", "metadata", "status"))


class Template(msgspec.Struct, frozen=True):
    """A Pod specification as written, the metadata beside it, and where it stands in its object."""

    spec: dict[str, object]
    metadata: object
    path: Path
    built_in: bool


_OF_CONTAINERS: Final = frozenset(
    ("command", "args", "script", "source", "env", "envFrom", "imagePullPolicy", "resources", "securityContext",
     "volumeMounts", "workingDir")
)  # fmt: skip


def group_of(api_version: object) -> str:
    """The API group of `group/version`; empty for the core group."""
    return api_version.rpartition("/")[0] if isinstance(api_version, str) else ""


def templates(value: dict[str, object]) -> Iterator[Template]:
    """All Pod templates of an object, in order."""
    group, kind = group_of(value.get("apiVersion")), value.get("kind")
    if group in _GROUPS:
        place = _BUILT_IN.get(kind) if isinstance(kind, str) else None
        if place is not None and (found := _at(value, place)):
            yield found
    elif not group.endswith(_PATTERNS):
        yield from _searched(value)


def is_built_in(value: dict[str, object]) -> bool:
    """Whether every object of this kind has a Pod template."""
    kind = value.get("kind")
    return group_of(value.get("apiVersion")) in _GROUPS and isinstance(kind, str) and kind in _BUILT_IN


def _at(value: dict[str, object], place: Path) -> Template | None:
    holder: object = value
    for step in place:
        holder = holder.get(str(step)) if isinstance(holder, dict) else None
    spec = holder.get("spec") if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or not isinstance(spec, dict):
        return None
    return Template(spec, holder.get("metadata"), (*place, "spec"), built_in=True)


def _searched(value: dict[str, object]) -> Iterator[Template]:
    pending: list[tuple[object, Path, object]] = [
        (each, (key,), None) for key, each in reversed(value.items()) if key not in _NOT_SEARCHED
    ]
    while pending:
        here, path, metadata = pending.pop()
        if isinstance(here, dict) and is_pod_spec(here):
            yield Template(here, metadata, path, built_in=False)
        elif len(path) < MAX_DEPTH:
            pending.extend(reversed(list(_below(here, path))))


def bare_containers(value: dict[str, object]) -> Iterator[Path]:
    """Where an object of another group has containers outside of Pod specifications (rule 5)."""
    group = group_of(value.get("apiVersion"))
    if group in _GROUPS or group.endswith(_PATTERNS):
        return
    pending: list[tuple[object, Path]] = [
        (each, (key,)) for key, each in reversed(value.items()) if key not in _NOT_SEARCHED
    ]
    while pending:
        here, path = pending.pop()
        if isinstance(here, dict) and is_pod_spec(here):
            continue
        if isinstance(here, dict) and isinstance(here.get("image"), str) and _OF_CONTAINERS & here.keys():
            yield path
        elif len(path) < MAX_DEPTH:
            pending.extend(reversed([(each, place) for each, place, _ in _below(here, path)]))


def _below(here: object, path: Path) -> Iterator[tuple[object, Path, object]]:
    if isinstance(here, dict):
        for key, each in here.items():
            if isinstance(each, dict | list) and isinstance(key, str):
                yield each, (*path, key), here.get("metadata") if key == "spec" else None
    elif isinstance(here, list):
        yield from ((each, (*path, index), None) for index, each in enumerate(here))


def is_pod_spec(value: dict[str, object]) -> bool:
    """Whether there are containers with images in it."""
    containers = value.get("containers")
    return isinstance(containers, list) and any(
        isinstance(each, dict) and isinstance(each.get("image"), str) for each in containers
    )


def embeds_pods(schema: object) -> bool:
    """Whether an OpenAPI schema has `containers` with `image` somewhere."""
    pending = [schema]
    while pending:
        here = pending.pop()
        if isinstance(here, list):
            pending.extend(here)
        elif isinstance(here, dict):
            properties = here.get("properties")
            if isinstance(properties, dict) and _has_images(properties.get("containers")):
                return True
            pending.extend(each for each in here.values() if isinstance(each, dict | list))
    return False


def _has_images(schema: object) -> bool:
    items = schema.get("items") if isinstance(schema, dict) else None
    properties = items.get("properties") if isinstance(items, dict) else None
    return isinstance(properties, dict) and "image" in properties
