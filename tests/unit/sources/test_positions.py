"""The line of a field, found when somebody asks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from casemate.sources.workloads import collect

_TEXT = """\
# Two documents
---
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  containers:
  - name: main
    image: busybox
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: two}
    spec: {containers: [{name: main, image: busybox}]}
  - apiVersion: v1
    kind: Pod
    metadata: {name: three}
    spec:
      hostPID: true
      containers: [{name: main, image: busybox}]
"""
_PLACES = [
    ("one", "spec.containers[0].image", (9, 5)),
    ("one", "spec.containers[0].securityContext.privileged", (8, 5)),
    ("two", "spec.containers[0].image", (17, 38)),
    ("three", "spec.hostPID", (22, 7)),
    ("three", "spec", (21, 5)),
    ("three", "nowhere", (18, 5)),
]


@pytest.mark.parametrize(("name", "path", "place"), _PLACES)
def test_a_field_is_found_in_standard_input(name: str, path: str, place: tuple[int, int]) -> None:
    found = collect(["-"], io.BytesIO(_TEXT.encode()))
    (workload,) = (each for each in found.workloads if each.name == name)
    here = found.locate(workload.source, path)
    assert (here.file, here.line, here.column) == ("<stdin>", *place)


@pytest.mark.parametrize(("name", "path", "place"), _PLACES)
def test_a_field_is_found_in_a_file(tmp_path: Path, name: str, path: str, place: tuple[int, int]) -> None:
    file = tmp_path / "pods.yaml"
    file.write_text(_TEXT)
    found = collect([str(file)], io.BytesIO())
    (workload,) = (each for each in found.workloads if each.name == name)
    here = found.locate(workload.source, path)
    assert (here.file, here.line, here.column) == (str(file), *place)


def test_a_file_that_is_gone_keeps_its_documents_position(tmp_path: Path) -> None:
    file = tmp_path / "pods.yaml"
    file.write_text(_TEXT)
    found = collect([str(file)], io.BytesIO())
    file.unlink()
    here = found.locate(found.workloads[0].source, "spec.containers[0].image")
    assert (here.line, here.column) == (3, 1)
