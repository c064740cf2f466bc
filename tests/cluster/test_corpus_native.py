"""Every case of the bypass corpus against the compiled admission policies of a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kubernetes
import pytest
from apiserver import Running

from casemate import catalogue
from casemate.admission.replay_cluster import Trial
from casemate.admission.replay_install import installer
from casemate.model.corpus import Played
from casemate.sources import corpus
from casemate.sources.cluster_access import access

FOLDER = Path(__file__).parents[2] / "corpus"
FLAGS = ("--disable-admission-plugins=ServiceAccount", "--allow-privileged=true")
GAPS = {
    "kind-custom-resource": "custom resources are not searched for Pod templates",
    "kind-custom-resource-two-templates": "custom resources are not searched for Pod templates",
    "anchor-namespaced-policy": "casemate's own kinds are not in a cluster that has compiled policies only",
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Played]]:
    kubernetes.build()
    loaded = corpus.load(FOLDER)
    with Running(tmp_path_factory.mktemp("corpus-native"), *FLAGS) as cluster:
        install = installer("native", loaded, catalogue.load())
        with Trial(access(cluster.kubeconfig("admin")), install) as trial:
            yield {each.attempt.id: each for each in trial.replay(loaded)}


def test_nothing_gets_by_and_nothing_honest_is_refused(played: dict[str, Played]) -> None:
    wrong = {name: f"{each.wrong} ({each.message})" for name, each in played.items() if each.wrong}
    assert wrong.keys() == GAPS.keys(), wrong


def test_it_is_the_policies_that_refuse(played: dict[str, Played]) -> None:
    by_policy = [each for each in played.values() if each.decision == "deny" and not each.by_server]
    assert len(by_policy) >= 130
