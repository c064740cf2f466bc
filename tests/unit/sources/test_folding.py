"""Plain lines fold into what the exact parser reads, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from casemate.sources.fast_layout import Layout, lay_out, layout_of
from casemate.sources.fast_lines import NotPlainError
from casemate.sources.marks import Path
from casemate.sources.parse import parse


def folded(text: str) -> object:
    """The value, which is the same when the structure is known already."""
    first, again = lay_out(text)[1], lay_out(text)[1]
    assert repr(first) == repr(again)
    return again


def laid_out(text: str) -> Layout:
    return layout_of(lay_out(text)[0])


_KEYS = [
    "a",
    "b",
    "c",
    "image",
    "kubernetes.io/os",
    "y",
    "on",
    "null",
    "true",
    ".5",
    "1",
    '"a"',
    '"on"',
    '"1"',
    "<<",
    "b c",
]
_VALUES = [
    "",
    "x",
    "1",
    "0x1F",
    "010",
    "1_0",
    "yes",
    "'no'",
    '"off"',
    "~",
    "null",
    ".inf",
    "1e3",
    "500m",
    "2001-01-01",
    "-",
    "--x",
]
_VALUES += [
    "a b",
    "a  b",
    "a #b",
    "a#b",
    "# c",
    "a:b",
    "a: b",
    "a:",
    "- a",
    "-a",
    "{}",
    "{ }",
    "[]",
    "[a, 'b', \"c d\", 1]",
    "[a",
    "]",
]
_VALUES += [
    "[a,b]",
    "[-]",
    "[a,]",
    "[a b]",
    "[ -x, --y=z ]",
    "{a: b}",
    "'it''s'",
    '"a\\n"',
    "'a: b'",
    '"#"',
    "a'b",
    'a"b"',
    "|",
    ">-",
]
_VALUES += [
    "&n",
    "&n x",
    "&m 'x'",
    "*n",
    "*m",
    "*n x",
    "!!str 1",
    "@x",
    "%x",
    "`x",
    "?",
    "? x",
    ":x",
    "<x",
    "=",
    "é",
    "a\tb",
    "(x)",
    "$(x)",
]
_VALUES += [
    "*n # c",
    "&n # c",
    '"a" # c',
    "[a] # c",
    "{} #c",
    "'a'#c",
    "---",
    "...",
    ",",
    "+1",
    "-1",
    "- ",
    "\\",
    "/a/b:c",
    "a,b",
    "[b]c",
]
_ENDS = ["", "", "", " ", "  ", " # c"]


@st.composite
def _lines(draw: st.DrawFn) -> str:
    indent = " " * draw(st.sampled_from([0, 0, 1, 2, 2, 2, 3, 4, 4, 6]))
    dashes = draw(st.sampled_from(["", "", "", "- ", "-  ", "- - ", "-"]))
    key = draw(st.sampled_from(["", *(f"{each}:" for each in _KEYS)]))
    value = draw(st.sampled_from(_VALUES))
    space = " " if key and value else ""
    return indent + dashes + key + space + value + draw(st.sampled_from(_ENDS))


@settings(max_examples=500)
@given(st.lists(_lines(), min_size=1, max_size=6).map("\n".join))
@example("a: b\n  - c")
@example("a:\n- b\n- c:\n  - d\nb: *n")
@example("a: &n\n  b: 1\nc: *n")
@example("a: &n\n  b: *n")
@example("a: &n\nc: *n")
@example("- - a\n  - b\n-\n  - c")
@example("a:\n  b:\nc:")
def test_what_is_folded_is_what_the_exact_parser_reads(text: str) -> None:
    try:
        value = folded(text)
    except NotPlainError:
        return
    documents, problems = parse(text.encode(), "")
    assert not problems
    assert repr([each.value for each in documents]) == repr([value] if value is not None else [])


_PLAIN = """\
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: "web"
  labels: {}
  annotations:
    checksum/config: 'a1: b2'   # quoted

spec:
  replicas: 2
  template:
    spec:
      hostUsers: false
      containers:
      - name: main
        image: registry.example.com:5000/web@sha256:0123
        args: ["--port=80", -v, 'x y']
        command:
        - sh
        - -c
        resources: &limits
          limits: {}
      - name: side
        resources: *limits
        env:
          -
            name: A
            value: ""
          - name: B
            value: no way
"""


def test_what_programs_write_is_folded() -> None:
    (document,), problems = parse(_PLAIN.encode(), "")
    assert not problems
    assert repr(folded(_PLAIN)) == repr(document.value)


def _changed() -> Iterator[tuple[str, str]]:
    yield "a key that is a boolean", "on: push"
    yield "a key that is set twice", "a: 1\nb: 2\na: 3"
    yield "a merge key", "a: &n {}\nb:\n  <<: *n"
    yield "a tag", "a: !!str 1"
    yield "a block scalar", "a: |\n  b: c"
    yield "a scalar in two lines", "a: b\n  - c"
    yield "a quoted scalar in two lines", 'a: "b\n  c"'
    yield "a tab", "a:\t1"
    yield "an alias of what is not finished", "a: &n\n  b: *n"
    yield "an alias of nothing", "a: *n"
    yield "more aliases than anybody needs", "a: &n {}\n" + "\n".join(f"b{each}: *n" for each in range(13))
    yield "more levels than anybody needs", "\n".join(" " * each + "a:" for each in range(70))
    yield "no number that JSON has", "a: .inf"
    yield "a control character", "a: 'b\x00'"
    yield "a foreign line break", "a: 'b\x85c'"


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in _changed()])
def test_all_else_is_left_to_a_whole_parser(text: str) -> None:
    with pytest.raises(NotPlainError):
        folded(text)


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    yield (*path, "nowhere")
    yield (*path, 7)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield from _paths(each, (*path, step))


_ORDINARY = ["", "", "", "x", "1", "'x' # c", "[]", "{}", "[a, 'b']", "&n", "&m x", "*n", "--x"]


@st.composite
def _ordinary_lines(draw: st.DrawFn) -> str:
    indent = " " * draw(st.sampled_from([0, 0, 0, 2, 2, 2, 4, 4, 6]))
    dashes = draw(st.sampled_from(["", "", "", "- ", "-   ", "- - ", "-"]))
    key = draw(st.sampled_from(["", "a:", "b:", "c:", '"d":', "e:", "items:"]))
    return f"{indent}{dashes}{key} {draw(st.sampled_from(_ORDINARY))}" if key else f"{indent}{dashes}x"


@settings(max_examples=500)
@given(st.lists(_ordinary_lines(), min_size=1, max_size=8).map("\n".join))
@example("items:\n- a: 1\n  b:\n  - c\n-\n  - d: &n\n      x: 1\n- e: *n\n- x")
@example(_PLAIN)
def test_lines_tell_the_same_places_as_the_exact_parser(text: str) -> None:
    try:
        if folded(text) is None:
            return
    except NotPlainError:
        return
    (document,), _ = parse(text.encode(), "")
    for path in _paths(document.value):
        here = document.marks.at(path)
        with suppress(NotPlainError):
            assert laid_out(text).at(path) == (here.line, here.column), path


def test_lines_tell_every_place_of_what_programs_write() -> None:
    text = _PLAIN.replace("*limits", "").replace("-\n            name", "- name")
    (document,), _ = parse(text.encode(), "")
    for path in _paths(document.value):
        here = document.marks.at(path)
        if "args" not in path:
            assert laid_out(text).at(path) == (here.line, here.column), path


def test_where_a_line_or_an_alias_hides_places_the_exact_parser_is_asked() -> None:
    for text, path in (
        ("a: [b]", ("a", 0)),
        ("- &n x", (0,)),
        ("-\n- x", (0,)),
        ("a: &n x\nb: *n", ("a",)),
        ("- - a", (0,)),
    ):
        with pytest.raises(NotPlainError):
            laid_out(text).at(path)


def test_documents_that_differ_in_values_only_have_one_layout() -> None:
    one, other = "a: 1\nb:\n- c: x # y\n", "a: web\nb:\n- c: 'z'\n"
    assert (folded(one), folded(other)) == ({"a": 1, "b": [{"c": "x"}]}, {"a": "web", "b": [{"c": "z"}]})
    assert laid_out(one) is laid_out(other)
