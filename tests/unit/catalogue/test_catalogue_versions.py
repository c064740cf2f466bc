"""Versions of runtimes, as programs print them, against the fixes of several branches."""

from __future__ import annotations

import pytest

from casemate.catalogue.versions import below, is_fixed

RUNC = ("1.2.8", "1.3.3", "1.4.0-rc.3")
FIXED = [
    ("1.3.3", RUNC, True),
    ("1.3.2", RUNC, False),
    ("v1.2.9", RUNC, True),
    ("runc version 1.2.7", RUNC, False),
    ("1.1.15", RUNC, False),  # a branch without a fix
    ("1.4.0-rc.2", RUNC, False),
    ("1.4.0-rc.3", RUNC, True),
    ("1.4.0", RUNC, True),
    ("2.0.0", RUNC, True),
    ("1.3.2+k3s1", RUNC, False),
    ("containerd://2.1.5-0ubuntu1", ("2.1.5",), True),
    ("release-20260823.0", ("20260824.0",), False),
    ("release-20260824.0", ("20260824.0",), True),
    ("1.0.0-rc6", ("1.0.0-rc7",), False),
    ("1.0.0-rc10", ("1.0.0-rc7",), True),
    ("1.20", ("1.20",), True),
    ("unknown", RUNC, None),
    ("", RUNC, None),
]


@pytest.mark.parametrize(("version", "fixes", "fixed"), FIXED)
def test_a_version_has_the_fix_of_its_branch_or_of_a_newer_one(
    version: str, fixes: tuple[str, ...], fixed: bool | None
) -> None:
    assert is_fixed(version, fixes) is fixed


@pytest.mark.parametrize(
    ("version", "limit", "lower"),
    [
        ("6.1.0-13-amd64", "6.3", True),
        ("6.3.0", "6.3", False),
        ("v1.33.1-gke.100", "1.33", False),
        ("v1.32.9", "1.33", True),
        ("containerd://1.7.29", "2.0", True),
        ("?", "2.0", None),
    ],
)
def test_nodes_versions_are_compared_without_what_distributions_append(
    version: str, limit: str, lower: bool | None
) -> None:
    assert below(version, limit) is lower
