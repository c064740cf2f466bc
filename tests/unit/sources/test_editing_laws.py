"""Laws of editing text: it says what was wanted, or is refused; nothing else in it moves."""

from __future__ import annotations

import random
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from casemate.sources.edit_nodes import nodes
from casemate.sources.edit_text import InexpressibleError, rewritten, same
from casemate.sources.parse import parse

keys = st.sampled_from(["a", "b", "c d", "on", "x/y", "é", "0"])
scalars = st.sampled_from([None, True, False, 0, -1, 1.5, "", "x", "yes", "a: b", "#", "two\nlines\n", "- z", "é 😀"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
documents = st.dictionaries(keys, values, min_size=1, max_size=4)


def dumped(value: Any, seed: int) -> str:
    """One of the ways to write a value, with anchors, comments and line ends as people leave them."""
    chance = random.Random(seed)
    shared = chance.random() < 0.4
    if shared and (inner := [each for each in value.values() if isinstance(each, dict | list) and each]):
        value = {**value, "shared": chance.choice(inner)}
    text = yaml.safe_dump(
        value, default_flow_style=chance.choice([False, False, None, True]), indent=chance.choice([2, 4]),
        sort_keys=False, allow_unicode=True, width=1000,
    )  # fmt: skip
    if "\n\n" not in text and "'" not in text and '"' not in text and "|" not in text:
        lines = [f"{line}  # {n}" if chance.random() < 0.3 else line for n, line in enumerate(text.splitlines())]
        text = "\n".join(lines) + chance.choice(["", "\n", "\n\n# end\n"])
    return text.replace("\n", "\r\n") if chance.random() < 0.2 else text


def changed(value: Any, seed: int) -> Any:
    """The value with one thing in it different."""
    chance = random.Random(seed)
    here = value = yaml.safe_load(yaml.safe_dump(value, allow_unicode=True))
    while isinstance(here, dict | list) and here:
        key = chance.choice(list(here) if isinstance(here, dict) else range(len(here)))
        if isinstance(here[key], dict | list) and here[key] and chance.random() < 0.7:
            here = here[key]
            continue
        match chance.randrange(3), here:
            case 0, dict():
                del here[key]
            case 1, dict():
                here["new"] = chance.choice([True, "text", {"p": {"q": ["ALL"]}}, {}])
            case _:
                here[key] = chance.choice([False, "text", {"p": 1}, ["l"]])
        break
    return value


@settings(max_examples=400, deadline=None)
@given(documents, st.integers(0, 9999), st.integers(0, 9999))
def test_the_text_says_what_was_wanted_or_is_refused(value: Any, style: int, change: int) -> None:
    text = dumped(value, style)
    (document,), problems = parse(text.encode(), "f")
    assume(not problems)
    wanted = changed(document.value, change)
    assert rewritten(text, nodes(text)[0], document.value, document.value) == text
    try:
        new = rewritten(text, nodes(text)[0], document.value, wanted)
    except InexpressibleError:
        return
    found, problems = parse(new.encode(), "f")
    if "&" not in text:
        assert not problems
        assert same([each.value for each in found], [wanted])
    if not problems and same([each.value for each in found], [wanted]):
        assert rewritten(new, nodes(new)[0], found[0].value, wanted) == new
        assert text.count("#") - new.count("#") <= 4
