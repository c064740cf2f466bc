"""The catalogue's rows, and what names tell."""

from __future__ import annotations

import pytest

from casemate.catalogue import runtimes
from casemate.model.boundary import Boundary

CLASSES = [
    ("runc", Boundary.SHARED),
    ("gvisor", Boundary.SANDBOX),
    ("wasm", Boundary.SANDBOX),
    ("wasmtime", Boundary.SHARED),  # runwasi runs native images natively
    ("kata", Boundary.VM),
    ("kata-qemu", Boundary.VM),
    ("kata-qemu-snp", Boundary.CONFIDENTIAL),
    ("kata-qemu-coco-dev", Boundary.VM),
    ("kata-qemu-nvidia-gpu", Boundary.VM),
    ("kata-qemu-nvidia-gpu-snp", Boundary.CONFIDENTIAL),
    ("kata-mshv-vm-isolation", Boundary.VM),
    ("kata-cc-isolation", Boundary.CONFIDENTIAL),
    ("isolated-sandbox", Boundary.VM),
    ("confidential-sandbox", Boundary.CONFIDENTIAL),
    ("sysbox-runc", Boundary.SHARED),
    ("crun-wasm", Boundary.SHARED),
    ("wasmtime-spin-v2", Boundary.SHARED),
    ("gvisor2", Boundary.UNKNOWN),
    ("kata-anything", Boundary.UNKNOWN),
    ("kata-anything-snp", Boundary.UNKNOWN),
    ("kata-ccc", Boundary.UNKNOWN),
    ("kata-q\u0435mu", Boundary.UNKNOWN),  # a Cyrillic letter
    ("", Boundary.UNKNOWN),
]


@pytest.mark.parametrize(("name", "boundary"), CLASSES)
def test_a_class_declares_the_boundary_of_the_most_specific_row(name: str, boundary: Boundary) -> None:
    assert runtimes.load().boundary_of_class(name) is boundary


def test_a_handler_is_known_by_the_classes_of_its_runtime() -> None:
    assert runtimes.load().class_names("runsc") == ("gvisor", "runsc")


@pytest.mark.parametrize("handler", ["kata-clh", "never-heard-of"])
def test_a_handler_among_many_or_unknown_goes_by_its_own_name(handler: str) -> None:
    assert runtimes.load().class_names(handler) == (handler,)


@pytest.mark.parametrize("handler", ["kata-q\u0435mu", "kata-QEMU", "runsc-\n", "kata-a b"])
def test_no_pattern_fits_what_cannot_be_a_name(handler: str) -> None:
    assert runtimes.load().boundary_of_handler(handler) is Boundary.UNKNOWN


@pytest.mark.parametrize(
    ("name", "boundary"),
    [
        ("kata-prod", Boundary.VM),
        ("kata-prod-snp", Boundary.CONFIDENTIAL),
        ("kata-qemu", Boundary.VM),
        ("runc", Boundary.SHARED),
        ("q\u0435mu", Boundary.UNKNOWN),
    ],
)
def test_a_class_promises_what_it_sounds_like(name: str, boundary: Boundary) -> None:
    assert runtimes.load().promised_by_class(name) is boundary


def test_only_weak_classes_are_known_by_a_pattern() -> None:
    strong = [row for row in runtimes.load().runtimes if row.boundary > Boundary.SHARED]
    assert [name for row in strong for name in row.classes if "*" in name] == []


def test_a_managed_variant_is_told_by_its_classs_node_selector() -> None:
    rows = runtimes.load()
    managed = rows.of_class("gvisor", {"sandbox.gke.io/runtime": "gvisor"})
    assert managed is not None
    assert managed.id == "gke-gvisor"
    plain = rows.of_class("gvisor", {"kubernetes.io/os": "linux"})
    assert plain is not None
    assert plain.id == "gvisor"


def test_every_row_says_where_it_is_known_from() -> None:
    rows = runtimes.load().runtimes
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.source and row.boundary is not Boundary.UNKNOWN for row in rows)


@pytest.mark.parametrize(
    ("name", "handler", "boundary"),
    [
        ("gvisor", "runc", Boundary.SANDBOX),
        ("kata-prod", "runc", Boundary.VM),
        ("kata-cc-prod", "kata-qemu", Boundary.CONFIDENTIAL),
        ("prod", "runc", Boundary.SHARED),
        ("prod", "ours", Boundary.UNKNOWN),
        ("", "runsc", Boundary.SANDBOX),
    ],
)
def test_a_class_is_held_to_its_name_and_else_to_its_handlers(name: str, handler: str, boundary: Boundary) -> None:
    assert runtimes.load().promised(name, handler) is boundary
