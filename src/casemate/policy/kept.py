"""Verdicts that were given, by everything that they depend on.

1. What has a shape (`casemate.policy.shape`) is known by that, anything else by its template.
2. A template's key is its exact encoding with labels, annotations, kind, owners and path: two templates share a key
   only when they are equal in all that a policy may ask.
3. The API server mounts its token under a name of its own in every Pod (`kube-api-access-` and five letters). Where
   one such name stands in a Pod, it is left out of the key: no policy asks for names of volumes.
4. Memory is bounded: when the keys weigh too much, all are forgotten. What is too large to keep is judged each time.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from casemate.model.policy import NODE, Request, Verdict
from casemate.model.workload import Workload
from casemate.policy.verdict import Set

Key: TypeAlias = tuple[tuple[object, ...], bytes]

_MOST: Final = 64 << 20
_LARGEST: Final = 128 << 10
_BESIDE: Final = 1000
_TOKEN: Final = b'"name":"kube-api-access-'
_TOKEN_LENGTH: Final = len(_TOKEN) + 6
_NAMELESS: Final = b'"name":0'  # Names are texts, so nothing else is encoded like it.

_encode = msgspec.json.Encoder().encode


class Kept:
    """Verdicts by key."""

    def __init__(self) -> None:
        self._verdicts: dict[Key, Verdict] = {}
        self._weight = 0
        self.get = self._verdicts.get

    def keep(self, key: Key, verdict: Verdict) -> None:
        """Keep a verdict as long as there is room."""
        weight = len(key[-1]) + _BESIDE
        if weight > _LARGEST:
            return
        if self._weight + weight > _MOST:
            self._verdicts.clear()
            self._weight = 0
        self._weight += weight
        self._verdicts[key] = verdict


def key_of(request: Request, found: Set) -> Key:
    """Everything that the verdict on a request that is no update may depend on."""
    user = request.user
    who = (user, request.groups) if found.asks_identity or user.startswith(NODE) else not (user or request.groups)
    return (found, who, request.subresource), _template(request.workload, found)


def _template(workload: Workload, found: Set) -> bytes:
    spec, metadata = _encode(workload.spec), workload.metadata
    start = spec.find(_TOKEN)
    if start >= 0:
        token = spec[start : start + _TOKEN_LENGTH]
        shorter = spec.replace(token, _NAMELESS)
        if token.endswith(b'"') and _TOKEN not in shorter:
            spec = shorter
    own = (workload.kind, workload.path, metadata.labels, metadata.annotations, workload.owners, workload.source.file)
    if not found.asks_need:
        return spec + _encode((own, workload.api_version, workload.object_labels))
    return spec + _encode(
        (own, workload.api_version, workload.object_labels, workload.object_annotations, workload.name)
    )
