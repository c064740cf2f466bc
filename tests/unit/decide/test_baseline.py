"""A baseline is an earlier assessment, known by its findings' fingerprints."""

from __future__ import annotations

import pytest

from casemate.decide.baseline import parse
from casemate.errors import InputError


def test_fingerprints_of_all_items_are_known() -> None:
    data = b'{"apiVersion": "casemate.dev/v1alpha1", "kind": "Assessment", "items": [{"workload": {}, "findings": ['
    data += b'{"rule": "CM001", "fingerprint": "a"}, {"fingerprint": "b"}]}, {"findings": [{"fingerprint": "a"}]}, {}]}'
    assert parse(data, "b.json") == {"a", "b"}


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b'{"kind": "Assessment"}', b'{"kind": "List", "items": []}', b'{"items": [{}]}', b"\xff"),
        pytest.param(b'{"kind": "Assessment", "items": [], "more": ' + b"[" * 100_000, id="deep"),
    ],
)
def test_anything_else_is_an_error_and_no_empty_baseline(data: bytes) -> None:
    with pytest.raises(InputError) as error:
        parse(data, "b.json")
    assert error.value.where == "b.json"
