"""Kubernetes has no field of a Pod template that nobody decided about (corpus/podspec-fields.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from lightkube.models import core_v1, meta_v1

from casemate.model.policy import Rule

FILE = Path(__file__).parents[2] / "corpus" / "podspec-fields.yaml"
TYPES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["types"]
MATCH = "match"
"""Not a rule: a field by which policies and exceptions select."""


def model(name: str) -> type[msgspec.Struct]:
    """Kubernetes' type of that name, as the newest models have it."""
    found: type[msgspec.Struct] = getattr(core_v1, name, None) or getattr(meta_v1, name)
    return found


def fields(name: str) -> dict[str, str]:
    """The fields of a type, with the types that they are declared as."""
    kind = model(name)
    return {each: str(kind.__annotations__[each]) for each in kind.__struct_fields__}


@pytest.mark.parametrize("name", TYPES)
def test_every_field_of_kubernetes_is_decided_about(name: str) -> None:
    unknown = fields(name).keys() - TYPES[name].keys()
    assert not unknown, f"{name} has fields that no rule was told about: {sorted(unknown)}"


@pytest.mark.parametrize("name", TYPES)
def test_nothing_is_decided_about_that_kubernetes_does_not_have(name: str) -> None:
    assert not TYPES[name].keys() - fields(name).keys()


@pytest.mark.parametrize("name", TYPES)
def test_each_field_is_judged_by_a_rule_or_said_to_be_irrelevant_or_looked_into(name: str) -> None:
    rules = {*map(str, Rule), MATCH}
    for each, said in TYPES[name].items():
        match said:
            case {"judged": [*by]}:
                assert by, each
                assert set(by) <= rules, each
            case {"irrelevant": str(why)}:
                assert why, each
            case {"look": str(kind)}:
                assert kind in TYPES, each
                assert kind in fields(name)[each], f"{name}.{each} is a {fields(name)[each]}"
            case _:
                pytest.fail(f"{name}.{each}: {said}")


def test_a_template_is_looked_into_from_its_root() -> None:
    reached, left = set(), ["PodTemplateSpec"]
    while left:
        name = left.pop()
        reached.add(name)
        left += [each["look"] for each in TYPES[name].values() if "look" in each and each["look"] not in reached]
    assert reached == TYPES.keys()


def test_a_new_field_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = msgspec.defstruct("PodSpec", [*fields("PodSpec"), "runtimeOptions"])
    monkeypatch.setattr(core_v1, "PodSpec", newer)
    with pytest.raises(AssertionError, match="runtimeOptions"):
        test_every_field_of_kubernetes_is_decided_about("PodSpec")
