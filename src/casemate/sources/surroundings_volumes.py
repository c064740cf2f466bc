"""Which claims of Pods lead to files of the node: PersistentVolumes of kind hostPath and local.

1. A claim that names its volume, or that a volume names, is bound to that one.
2. Any other may get each volume of its class that is nobody's yet: whatever the smallest of them is, is not known here.
   No class and an empty one are the same; a default class is not known.
3. A StatefulSet's claims are named after its template and itself; all its Pods' are like the first one's
   (kubernetes, pkg/controller/statefulset, getPersistentVolumeClaimName).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_KINDS: Final = frozenset((("", "PersistentVolume"), ("", "PersistentVolumeClaim"), ("apps", "StatefulSet")))


@dataclass(frozen=True, slots=True)
class _Volume:
    path: str
    storage_class: str
    claim: str


@dataclass(frozen=True, slots=True)
class _Claim:
    volume: str
    storage_class: str


class Volumes:
    """Volumes of nodes, and claims."""

    def __init__(self) -> None:
        self._volumes: dict[str, _Volume] = {}
        self._claims: dict[str, _Claim] = {}

    def take(self, group: str, kind: str, value: dict[str, object]) -> bool:
        """Take an object in, or say that it is nothing of the kind. A StatefulSet is a workload too."""
        if (group, kind) not in _KINDS:
            return False
        meta, spec = _mapping(value.get("metadata")), _mapping(value.get("spec"))
        name, namespace = _text(meta.get("name")), _text(meta.get("namespace"))
        match kind:
            case "PersistentVolume":
                self._volume(name, spec)
            case "PersistentVolumeClaim":
                self._claims[f"{namespace}/{name}"] = _claim(spec)
            case _:
                self._templates(f"{namespace}/", f"-{name}-0", spec.get("volumeClaimTemplates"))
        return kind != "StatefulSet"

    def claims(self) -> dict[str, tuple[str, ...]]:
        """The paths of nodes that each claim, as `namespace/name`, leads to or may lead to."""
        if not self._volumes:
            return {}
        free = self.unclaimed()
        bound: dict[str, list[str]] = defaultdict(list)
        for each in self._volumes.values():
            bound[each.claim].append(each.path)
        found = ((title, tuple(self._paths(title, claim, bound, free))) for title, claim in self._claims.items())
        return {title: paths for title, paths in found if paths}

    def unclaimed(self) -> dict[str, tuple[str, ...]]:
        """The paths of volumes that are nobody's yet, by storage class."""
        free: dict[str, tuple[str, ...]] = {}
        for each in self._volumes.values():
            if not each.claim:
                free[each.storage_class] = (*free.get(each.storage_class, ()), each.path)
        return free

    def _paths(
        self, title: str, claim: _Claim, bound: dict[str, list[str]], free: dict[str, tuple[str, ...]]
    ) -> Iterator[str]:
        yield from bound.get(title, ())
        if claim.volume in self._volumes:
            yield self._volumes[claim.volume].path
        elif not claim.volume and title not in bound:
            yield from free.get(claim.storage_class, ())

    def _templates(self, before: str, after: str, templates: object) -> None:
        for each in templates if isinstance(templates, list) else ():
            template = _mapping(each)
            name = _text(_mapping(template.get("metadata")).get("name"))
            self._claims.setdefault(f"{before}{name}{after}", _claim(_mapping(template.get("spec"))))

    def _volume(self, name: str, spec: dict[str, object]) -> None:
        path = _text(_mapping(spec.get("hostPath")).get("path")) or _text(_mapping(spec.get("local")).get("path"))
        if path:
            of = _mapping(spec.get("claimRef"))
            claim = f"{_text(of.get('namespace'))}/{_text(of.get('name'))}" if of.get("name") else ""
            self._volumes[name] = _Volume(path, _text(spec.get("storageClassName")), claim)


def _claim(spec: dict[str, object]) -> _Claim:
    return _Claim(_text(spec.get("volumeName")), _text(spec.get("storageClassName")))


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
