"""Which labels of security modules keep anybody from anything."""

from __future__ import annotations

import pytest

from casemate.prove.label import confines

LABELS = [
    ("cri-containerd.apparmor.d (enforce)", True),
    ("docker-default (kill)", True),
    ("docker-default (complain)", False),
    ("docker-default (unconfined)", False),
    ("a//&b (mixed)", False),
    ("unconfined//&:node_pods:web (enforce)", True),
    ("unconfined", False),
    ("", False),
    ("docker-default", False),
    ("system_u:system_r:container_t:s0:c1,c2", True),
    ("system_u:system_r:spc_t:s0", False),
    ("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023", False),
]


@pytest.mark.parametrize(("label", "confined"), LABELS)
def test_only_a_label_that_is_enforced_confines(label: str, confined: bool) -> None:
    assert confines(label) is confined
