"""What compiled policies take for the labels of a namespace that is made, changed or not there."""

from __future__ import annotations

from typing import Any

import cel
import pytest

from casemate import catalogue
from casemate.model.policy import PolicySettings
from casemate.model.surroundings import Surroundings
from casemate.policy.compile import anchors
from casemate.policy.compile.tables import tabulated


@pytest.mark.parametrize(
    ("old", "labels"),
    [
        (None, {}),
        ({}, {}),
        ({"metadata": {"name": "a"}}, {}),
        ({"metadata": {"name": "a", "labels": {"tenancy": "shared"}}}, {"tenancy": "shared"}),
    ],
)
def test_an_object_that_is_not_there_has_no_labels(old: Any, labels: dict[str, str]) -> None:
    made = tabulated((), (), Surroundings(), catalogue.load(), PolicySettings())
    assert cel.evaluate(anchors.variables(made)["before"], {"oldObject": old}) == labels
