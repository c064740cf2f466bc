"""Every case of the bypass corpus against the webhook, asked by a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kubernetes
import pytest
from apiserver import Running
from webhook import NAMESPACE, Webhook, by_url, free_port, make, manifests, served, wait_for

from casemate import catalogue
from casemate.admission import webhooks
from casemate.admission.replay_cluster import Trial
from casemate.admission.replay_install import installer
from casemate.model.corpus import Played
from casemate.sources import corpus
from casemate.sources.cluster_access import access

FOLDER = Path(__file__).parents[2] / "corpus"
FLAGS = ("--disable-admission-plugins=ServiceAccount", "--allow-privileged=true")
CUSTOM = ("example.com/v1/trainingjobs",)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Played]]:
    kubernetes.build()
    loaded = corpus.load(FOLDER)
    with Running(tmp_path_factory.mktemp("corpus-webhook"), *FLAGS) as cluster:
        replica = Webhook(cluster, tmp_path_factory.mktemp("replica"), free_port())
        make(cluster, *manifests("crds"), *manifests("namespace"))
        make(cluster, *(each for each in manifests("casemate") if each["kind"] != "Deployment"))
        wait_for(lambda: served(cluster), "the definitions to be served")
        for each in webhooks.configurations(NAMESPACE, kinds=CUSTOM):
            make(cluster, by_url(each, replica.port))
        replica.start()
        try:
            replica.wait_ready()
            install = installer("webhook", loaded, catalogue.load())
            with Trial(access(cluster.kubeconfig("admin")), install) as trial:
                yield {each.attempt.id: each for each in trial.replay(loaded)}
        finally:
            replica.stop()


def test_nothing_gets_by_and_nothing_honest_is_refused(played: dict[str, Played]) -> None:
    wrong = {name: f"{each.wrong} ({each.message})" for name, each in played.items() if each.wrong}
    assert not wrong


def test_it_is_the_policies_that_refuse(played: dict[str, Played]) -> None:
    by_policy = [each for each in played.values() if each.decision == "deny" and not each.by_server]
    assert len(by_policy) >= 130
