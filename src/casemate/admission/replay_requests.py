"""A try of the corpus as the request that a client sends to the API server. Pure.

1. A create sends the body as it is.
2. An update starts from what the API server holds, as a client does that has read it: only what the case changes is
   changed, so defaults and what admission plugins stamped stay.
3. The case's verb says how the change is sent: as the whole object (`put`), as one of the three patches, or by
   server-side apply. Everything is a dry run.
4. What is made beforehand has the try's number in its name, so that no two cases meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from casemate.admission.replay import CLUSTER_WIDE, resource_of
from casemate.model.corpus import Object, Try
from casemate.model.policy import Operation
from casemate.sources.corpus import merge

_JSON: Final = "application/json"
_DRY: Final = (("dryRun", "All"),)
_APPLY: Final = (*_DRY, ("fieldManager", "casemate"), ("force", "true"))
_PATCHES: Final = {
    "merge-patch": "application/merge-patch+json",
    "strategic-patch": "application/strategic-merge-patch+json",
    "json-patch": "application/json-patch+json",
}
_CONSTRAINTS: Final = "constraints.gatekeeper.sh"
_SINGULAR: Final = ("Assign",)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. `query` goes behind the path."""

    method: str
    path: str
    body: bytes
    media: str = _JSON
    query: tuple[tuple[str, str], ...] = _DRY


def collection(value: Object, namespace: str = "") -> str:
    """The path at which objects of that kind are made; `namespace` is that of an object that may not say it."""
    version, kind = str(value.get("apiVersion")), str(value.get("kind"))
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_WIDE else ""
    return f"{root}{place}/{_resource(version, kind)}"


def _resource(version: str, kind: str) -> str:
    if kind in _SINGULAR or version.startswith(_CONSTRAINTS):
        return kind.lower()
    return resource_of(kind)


def place_of(value: Object) -> str:
    """The path of an object that says where it is."""
    metadata = metadata_of(value)
    return f"{collection(value, str(metadata.get('namespace', '')))}/{metadata.get('name')}"


def metadata_of(value: Object) -> Object:
    """The metadata of an object, empty where it has none."""
    found = value.get("metadata")
    return found if isinstance(found, dict) else {}


def before(each: Try, number: int) -> Object | None:
    """What has to be there before the try, None where nothing has or the setting holds it (rule 4)."""
    if each.old is None or str(each.old.get("kind")) in CLUSTER_WIDE:
        return None
    name = f"{metadata_of(each.old).get('name')}-{number}"
    return each.old | {"metadata": metadata_of(each.old) | {"name": name, "namespace": each.namespace}}


def create(each: Try) -> Call:
    """A try that makes something."""
    value: Object = msgspec.json.decode(each.body)
    path = collection(value, each.namespace)
    if each.verb == "apply":
        path = f"{path}/{metadata_of(value).get('name')}"
        return Call("PATCH", path, each.body, "application/apply-patch+yaml", _APPLY)
    return Call("POST", path, each.body)


def update(each: Try, held: Object) -> Call:
    """A try that changes something: `held` is what the API server has."""
    assert each.operation is Operation.UPDATE
    changed = difference(each.old or {}, msgspec.json.decode(each.body))
    path = f"{collection(held, each.namespace)}/{metadata_of(held).get('name')}"
    if each.subresource:
        path = f"{path}/{each.subresource}"
    if each.verb not in _PATCHES:
        return Call("PUT", path, msgspec.json.encode(merge(held, changed)))
    body: object = list(operations(held, changed)) if each.verb == "json-patch" else changed
    return Call("PATCH", path, msgspec.json.encode(body), _PATCHES[each.verb])


def difference(old: Object, new: Object) -> Object:
    """The JSON merge patch (RFC 7396) that makes `old` into `new`."""
    found: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if value != before:
                found[key] = difference(before, value)
        elif key not in old or value != before:
            found[key] = value
    return found


def operations(held: Object, changed: Object, path: str = "") -> Iterator[Object]:
    """A merge patch as operations of a JSON Patch (RFC 6902)."""
    for key, value in changed.items():
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        inner = held.get(key)
        if isinstance(value, dict) and isinstance(inner, dict):
            yield from operations(inner, value, place)
        elif value is not None:
            yield {"op": "add", "path": place, "value": value}
        elif key in held:
            yield {"op": "remove", "path": place}
