"""Which custom resources hold Pod templates, and in which version they are asked for."""

from __future__ import annotations

import msgspec
import pytest

from casemate.sources.definitions import Definition

CONTAINERS = {"type": "array", "items": {"type": "object", "properties": {"image": {"type": "string"}}}}
POD = {"type": "object", "properties": {"containers": CONTAINERS}}
WITH_PODS = {"openAPIV3Schema": {"properties": {"spec": {"properties": {"template": {"properties": {"spec": POD}}}}}}}
OPEN = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def version(name: str, schema: object, *, served: bool = True) -> dict[str, object]:
    return {"name": name, "served": served, "schema": schema}


@pytest.mark.parametrize(
    ("versions", "name"),
    [
        ([version("v1", WITH_PODS)], "v1"),
        ([version("v1beta1", OPEN), version("v1", WITH_PODS)], "v1"),
        ([version("v1", WITH_PODS, served=False)], None),
        ([version("v1", OPEN)], None),
        ([version("v1", None)], None),
        ([], None),
    ],
)
def test_the_served_version_that_shows_pod_templates_counts(versions: list[object], name: str | None) -> None:
    spec = {"group": "example.com", "names": {"kind": "Job", "plural": "jobs"}, "versions": versions}
    found = msgspec.convert(spec, Definition).with_pods
    assert (found.name if found else None) == name
