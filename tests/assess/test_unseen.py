"""Public charts, labelled before casemate was asked: need and blockers are as a person said, but for known disputes."""

from __future__ import annotations

import charts
import fuzz_targets
import pytest
from unseen import Unseen, compare, labels

ALL = labels()
EACH = pytest.mark.parametrize("label", ALL, ids=[each.title for each in ALL])
_ASKS = {"test_need_is_one_that_the_label_accepts": "need", "test_blockers_are_those_of_the_label": "blockers"}
RENDERED = pytest.mark.skipif(not charts.folder().exists(), reason="not rendered: python tests/assess/charts.py")


@pytest.fixture(autouse=True)
def _disputes_are_marked(request: pytest.FixtureRequest) -> None:
    called = getattr(request.node, "callspec", None)
    label = called.params.get("label") if called else None
    question = _ASKS.get(request.node.originalname, "")
    if isinstance(label, Unseen) and (reason := label.disputed.get(question)):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=False))


def test_the_labels_are_many_of_many_projects_and_say_why() -> None:
    modules = {each.module for each in charts.pinned().sources}
    assert len(ALL) >= 60
    assert len(modules) >= 15
    assert all(len(each.why.split()) >= 4 for each in ALL)
    assert len({each.title for each in ALL}) == len(ALL)


def test_few_labels_are_disputed() -> None:
    assert sum(bool(each.disputed) for each in ALL) <= len(ALL) / 7


@RENDERED
@EACH
def test_need_is_one_that_the_label_accepts(label: Unseen) -> None:
    assert compare(label).need in label.accepted, label.why


@RENDERED
@EACH
def test_blockers_are_those_of_the_label(label: Unseen) -> None:
    assert not compare(label).wrong, label.why


@RENDERED
@EACH
def test_no_chart_gives_more_than_a_shared_kernel(label: Unseen) -> None:
    assert compare(label).has == "shared"


@RENDERED
@pytest.mark.parametrize("source", [each.name for each in charts.pinned().sources])
def test_what_a_chart_renders_to_is_reported_in_every_format_and_fixed(source: str) -> None:
    assert fuzz_targets.manifests((charts.folder() / f"{source}.yaml").read_bytes())
