"""A key that is set twice: parsers disagree on which one counts, so that it is reported, whoever reads the text."""

from __future__ import annotations

import io
import json

import pytest

from casemate.sources import fast_twice
from casemate.sources.workloads import collect

_BLOCK = """\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  runtimeClassName: gvisor
  containers: [{name: main, image: busybox}]
  runtimeClassName: runc
"""
_JSON = (
    '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"runtimeClassName": "gvisor", '
    '"containers": [{"name": "main", "image": "busybox"}], "runtimeClassName": "runc"}}'
)


_BRACES = """\
# Charts write such contexts in one line.
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: main
    image: busybox
    args: ["it's", '}']
    securityContext: {privileged: true, capabilities: {add: [SYS_ADMIN]}, %s: false}
"""
_ODD = """\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers: [{name: main, image: busybox}]
  hostPID: true
  %s: false
"""


@pytest.mark.parametrize("key", ["privileged", '"privileged"', "'privileged'", '"privile\\x67ed"', "? privileged "])
def test_between_braces_both_are_named_too(key: str) -> None:
    found = collect(["-"], io.BytesIO((_BRACES % key).encode()))
    assert [str(each) for each in found.skipped] == [
        f'<stdin>:10:{75 + 2 * key.startswith("?")}: "privileged" is set twice (first in line 10); keep one of them'
    ]
    assert found.workloads[0].spec.containers[0].securityContext.privileged is False


@pytest.mark.parametrize("key", ['"hostPID"', '"host\\x50ID"', "? hostPID\n  ", "&anchor hostPID"])
def test_a_key_that_is_written_otherwise_is_the_same_key(key: str) -> None:
    found = collect(["-"], io.BytesIO((_ODD % key).encode()))
    assert ['"hostPID" is set twice' in each.what for each in found.skipped] == [True]


def test_json_cannot_hide_a_key_behind_an_escape() -> None:
    text = _JSON.replace('"busybox"', '"busybox", "command": ["\\u003a"]')
    found = collect(["-"], io.BytesIO(text.encode()))
    assert ['"runtimeClassName" is set twice' in each.what for each in found.skipped] == [True]


@pytest.mark.parametrize(
    "text",
    [_BLOCK, _BLOCK.replace("[{name: main, image: busybox}]", "\n  - name: main\n    image: busybox"), _JSON],
    ids=["block with braces", "block", "json"],
)
def test_the_last_one_counts_and_both_are_named(text: str) -> None:
    found = collect(["-"], io.BytesIO(text.encode()))
    assert [each.spec.runtimeClassName for each in found.workloads] == ["runc"]
    assert ['"runtimeClassName" is set twice' in each.what for each in found.skipped] == [True]


def test_items_of_a_json_list_are_looked_at_one_by_one() -> None:
    right = _JSON.replace(', "runtimeClassName": "runc"', "")
    text = f'{{"apiVersion": "v1", "kind": "List", "items": [{_JSON}, {right}]}}'
    found = collect(["-"], io.BytesIO(text.encode()))
    assert [each.what for each in found.skipped] == ["a key is set twice in this item"]


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a: 1\nb: 2\na: 3\n", True),
        ("a: 1\n'b': {\na: 3\n", True),
        ("a:\n  b: 1\nc:\n  b: 1\n", False),
        ("a:\n- b: 1\n- b: 1\nc: 1\n", False),
        ("a:\n- b: 1\n  c: 2\n  b: 1\n", True),
        ("a:\n  - - b: 1\n      c: 2\n  - - b: 1\n", False),
        ("a: x\nb: http://a: 1\n", False),
    ],
)
def test_keys_of_blocks_are_told_by_their_column(text: str, twice: bool) -> None:
    assert fast_twice.in_yaml(text) is twice


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a: {b: 1, b : 2}", True),
        ('a: {"b":"}","b":2}', True),
        ("a: {b: it is 'b, b: 2}", True),
        ("a: {b: 1, # {\n  b: 2}", True),
        ("a: {b: [c, {d: 1}, {d: 1, d: 2}]}", True),
        ("a: {b: x#y, b}", True),
        ("# {'\na: {b: 1, b: 2}\n# '", True),
        ("a: {b: 1, c: {b: 2}}", False),
        ("a: [{b: 1}, {b: 2}]", False),
        ("a: {b: [1, 1], c: 'b, b: 2', d: http://b:8}", False),
        ("a: {}\nb: '{{ $x }}'", False),
        ("a: " + "{b: 1}" * 40_000, True),
    ],
)
def test_keys_between_braces_follow_a_brace_or_a_comma(text: str, twice: bool) -> None:
    assert fast_twice.in_yaml(text) is twice


@pytest.mark.parametrize("value", [{}, {"a": {"a": 1}}, {'a"': '":', "b\\": '\\":'}, {"a": ['x": ', "\\"]}])
def test_json_without_a_key_twice_has_none(value: object) -> None:
    assert not fast_twice.in_json(json.dumps(value).encode(), value)
    assert not fast_twice.in_json(json.dumps(value, indent=2).encode(), value)
