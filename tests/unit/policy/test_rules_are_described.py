from __future__ import annotations

import re
from pathlib import Path

import pytest

from casemate.model.policy import EXCEPTABLE, Part, Rule

PAGE = (Path(__file__).parents[3] / "docs/reference/policy-rules.md").read_text()
SECTIONS = {
    name.strip(): body
    for title, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    for name in title.split(",")
}


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_its_place_on_the_page_and_says_whether_it_can_be_accepted(rule):
    assert ("*Accepted" in SECTIONS[rule]) is (rule in EXCEPTABLE)


def test_the_page_has_no_rule_that_is_gone():
    assert set(SECTIONS) == set(Rule)


@pytest.mark.parametrize("part", list(Part))
def test_every_part_of_hardening_is_described(part):
    assert f"| `{part}` |" in SECTIONS["hardening"]
