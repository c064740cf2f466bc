"""Every case of the bypass corpus, judged by the evaluator as the webhook asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate import catalogue
from casemate.admission.replay import replay
from casemate.errors import InputError
from casemate.model.corpus import Played
from casemate.model.policy import PolicySettings
from casemate.sources import corpus

FOLDER = Path(__file__).parents[2] / "corpus"
LOADED = corpus.load(FOLDER)
PLAYED = tuple(replay(LOADED, catalogue.load(), PolicySettings()))


@pytest.mark.parametrize("played", PLAYED, ids=lambda each: each.attempt.id)
def test_a_case_ends_as_it_should(played: Played) -> None:
    assert not played.wrong, f"{played.attempt.where}: {played.wrong} ({played.message})"


def test_there_are_enough_cases_of_both_kinds() -> None:
    denied = [each for each in PLAYED if each.attempt.expect == "deny"]
    assert len(denied) >= 120
    assert len(PLAYED) - len(denied) >= 60


def test_ids_are_unique() -> None:
    ids = [each.id for each in LOADED.tries]
    assert len(ids) == len(set(ids))


def test_every_bypass_of_the_advisories_is_tried() -> None:
    sources = " ".join(each.source for each in LOADED.tries)
    assert not [each for each in ADVISORIES if each not in sources]


def test_a_misspelt_field_is_named_with_its_line(tmp_path: Path) -> None:
    _copy(tmp_path)
    case = "- {id: x, trys: it, source: here, policies: [], expect: deny}\n"
    (tmp_path / "cases" / "mine.yaml").write_text(case)
    with pytest.raises(InputError, match="trys") as raised:
        corpus.load(tmp_path)
    assert str(raised.value.where).endswith("mine.yaml:1")


def test_a_policy_that_is_not_there_is_named(tmp_path: Path) -> None:
    _copy(tmp_path)
    case = "- {id: x, tries: it, source: here, policies: [nowhere], expect: deny}\n"
    (tmp_path / "cases" / "mine.yaml").write_text(case)
    with pytest.raises(InputError, match="nowhere"):
        corpus.load(tmp_path)


def _copy(folder: Path) -> None:
    (folder / "cases").mkdir()
    (folder / "policies").mkdir()
    (folder / "setting.yaml").write_text((FOLDER / "setting.yaml").read_text())


ADVISORIES = (
    "CVE-2023-34091",
    "CVE-2023-33191",
    "CVE-2024-48921",
    "GHSA-gg4x-fgg2-h9w9",
    "CVE-2022-47633",
    "CVE-2023-47630",
    "CVE-2025-29778",
    "kyverno/kyverno#16275",
    "kyverno/kyverno#16663",
    "CVE-2026-22039",
    "CVE-2026-23881",
    "CVE-2026-41485",
    "CVE-2025-47281",
    "CVE-2022-46167",
    "CVE-2024-39690",
    "CVE-2026-30963",
    "CVE-2026-55636",
    "CVE-2026-44938",
    "CVE-2023-2728",
    "CVE-2023-2431",
    "CVE-2025-4563",
    "CVE-2026-46680",
    "open-policy-agent/gatekeeper-library#188",
    "deckhouse/deckhouse#22398",
    "kubescape/regolibrary#709",
    "k8sallowedrepos",
    "CVE-2026-26205",
    "CVE-2020-27151",
    "kata-containers/kata-containers#13857",
    "confidential-dot-ai/c8s#279",
)
