"""Conditions as data: what they mean, and what is refused."""

from __future__ import annotations

import pytest

from casemate.catalogue.conditions import AllOf, AnyOf, ConditionError, Is, Not, asked, read, shown

READ = [
    ("always", Is("always")),
    ({"image": ["redis", "*/mysql"]}, Is("image", ("redis", "*/mysql"))),
    ({"kubelet-below": "1.33"}, Is("kubelet-below", ("1.33",))),
    ({"host-path": ["/"]}, Is("host-path", ("/",))),
    ({"not": "privileged"}, Not(Is("privileged"))),
    ({"all": ["privileged", {"any": ["host-pid"]}]}, AllOf((Is("privileged"), AnyOf((Is("host-pid"),))))),
]
WRONG = [
    ("privilegd", (), "no predicate is named `privilegd`"),
    ({"all": ["always", {"imge": ["a"]}]}, ("all", 1), "no predicate is named `imge`"),
    ({"privileged": ["yes"]}, ("privileged",), "`privileged` takes no arguments"),
    ("image", (), "`image` takes one or more arguments"),
    ({"kernel-below": ["6.3", "6.4"]}, ("kernel-below",), "`kernel-below` takes one argument"),
    ({"kernel-below": 6.3}, ("kernel-below",), "arguments are texts"),
    ({"any": []}, ("any",), "`any` takes a list of conditions"),
    ({"any": "always"}, ("any",), "`any` takes a list of conditions"),
    ({"host-pid": [], "host-ipc": []}, (), "a condition is a name, or a mapping with one key"),
    (None, (), "a condition is a name, or a mapping with one key"),
]


@pytest.mark.parametrize(("written", "meant"), READ)
def test_a_condition_is_read(written: object, meant: object) -> None:
    assert read(written) == meant


@pytest.mark.parametrize(("written", "path", "what"), WRONG)
def test_a_wrong_condition_says_where_it_is_wrong(written: object, path: tuple[str | int, ...], what: str) -> None:
    with pytest.raises(ConditionError) as caught:
        read(written)
    assert str(caught.value) == what
    assert caught.value.path == path


def test_a_misspelt_predicate_has_a_near_miss() -> None:
    with pytest.raises(ConditionError) as caught:
        read("privilegd")
    assert caught.value.fix == "did you mean `privileged`?"


def test_equal_conditions_are_one_key() -> None:
    assert len({read({"image": ["a", "b"]}), read({"image": ["a", "b"]}), read({"image": ["b", "a"]})}) == 2


def test_a_condition_tells_all_that_it_asks() -> None:
    condition = read({"any": [{"not": "privileged"}, {"all": ["host-pid", "privileged"]}]})
    assert asked(condition) == {Is("privileged"), Is("host-pid")}


def test_a_condition_is_shown_in_words() -> None:
    condition = read({"all": ["host-network", {"not": {"any": ["may-be-root", {"image": ["redis", "postgres"]}]}}]})
    assert shown(condition) == "host-network and not (may-be-root or image redis, postgres)"
