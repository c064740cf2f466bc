"""What a cluster declares of a sandbox."""

from __future__ import annotations

import pytest

from casemate.prove.declared import Declared

DECLARED = Declared(
    classes={"gvisor": "runsc", "runsc": "runc"}, pods={"a": "gvisor", "b": "", "c": "runsc", "d": "gone"}
)


@pytest.mark.parametrize(
    ("uid", "class_name", "handler"),
    [
        ("a", "gvisor", "runsc"),
        ("b", "", "crun"),  # no class: the default handler
        ("c", "runsc", "runc"),  # a class that lies means what it says, whatever its name promises
        ("d", "gone", ""),  # a class that the cluster lacks means nothing
        ("unknown", "", ""),  # a sandbox of nobody's Pod
    ],
)
def test_a_sandbox_is_what_its_pods_class_means(uid: str, class_name: str, handler: str) -> None:
    assert DECLARED.of_pod(uid, "crun") == (class_name, handler)
