"""Labelled workloads: need, boundary, gap and blockers are what a person said that they are."""

from __future__ import annotations

import pytest
from labels import FOLDER, Labelled, labelled, of_outcome

from casemate.model.assessment import Outcome

ALL = tuple(labelled())
_IDS = [f"{each.file}: {each.expected.workload}" for each in ALL]
_JUDGED = ("test_need_is_what_the_label_says", "test_a_gap_is_reported_where_the_label_sees_one")
_OF_CHARTS = ("app.kubernetes.io/", "helm.sh/chart", "chart:", "k8s-app:", "app: jupyterhub", "heritage:", "# Source:")
EACH = pytest.mark.parametrize("case", ALL, ids=_IDS)


@pytest.fixture(autouse=True)
def _disputes_are_marked(request: pytest.FixtureRequest) -> None:
    called = getattr(request.node, "callspec", None)
    if called and request.node.originalname in _JUDGED and (reason := called.params["case"].expected.disputed):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=False))


def test_the_set_is_large_and_a_third_of_it_looks_like_rendered_charts() -> None:
    files = [each.read_text() for each in FOLDER.glob("*.yaml")]
    charts = [text for text in files if any(mark in text for mark in _OF_CHARTS)]
    assert len(ALL) >= 64
    assert len({each.workload.kind for each in ALL}) >= 10
    assert len(charts) >= len(files) / 3


@EACH
def test_a_label_says_why(case: Labelled) -> None:
    assert len(case.expected.why.split()) >= 5


@EACH
def test_need_is_what_the_label_says(case: Labelled) -> None:
    need = case.assessed().need
    assert case.expected.allows("need", need.boundary), _said(case, need)


@EACH
def test_has_is_what_the_label_says(case: Labelled) -> None:
    has = case.assessed().has
    assert case.expected.allows("has", has.boundary), _said(case, has)
    assert case.expected.state in (None, str(has.state))


@EACH
def test_a_gap_is_reported_where_the_label_sees_one(case: Labelled) -> None:
    assessed = case.assessed()
    assert assessed.gap is (assessed.has.boundary < assessed.need.boundary)
    assert case.expected.gap in (None, assessed.gap)


@EACH
def test_the_recommendation_is_what_the_label_says(case: Labelled) -> None:
    recommended = case.assessed().recommendation
    assert case.expected.recommend in (None, str(recommended.boundary)), _said(case, recommended)
    assert case.expected.closes in (None, recommended.closes), _said(case, recommended)


@EACH
def test_blockers_under_named_runtimes_are_those_of_the_label(case: Labelled) -> None:
    for runtime, expected in case.expected.blockers.items():
        blockers = case.blockers_under(runtime)
        fails = of_outcome(blockers, Outcome.FAILS)
        for end in expected.differs:
            assert any(end in path for path in of_outcome(blockers, Outcome.DIFFERS)), _said(case, blockers)
        if expected.fails is None:
            continue
        assert all(any(end in path for path in fails) for end in expected.fails), _said(case, blockers)
        unexpected = [path for path in fails if not any(end in path for end in expected.fails)]
        assert expected.more or not unexpected, _said(case, blockers)


@EACH
def test_what_the_label_wants_pointed_out_is_a_finding(case: Labelled) -> None:
    findings = case.assessed().findings
    for end in case.expected.findings:
        assert any(end in each.path for each in findings), _said(case, findings)
    if case.expected.leftovers:
        assert any("ocker" in each.message for each in findings), _said(case, findings)


def _said(case: Labelled, answer: object) -> str:
    return f"\nlabel: {case.expected.why}\nanswer: {answer}"
