"""Policies in conflict say so in their status at a real API server, until one of them is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest
from apiserver import Cluster
from load import runtime_classes
from webhook import Restartable, Webhook, free_port, install, make, path, wait_for

Object = dict[str, Any]
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    kubernetes.build()
    with Restartable(tmp_path_factory.mktemp("soundness")) as found:
        yield found


@pytest.fixture(scope="module")
def webhook(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    make(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}, *runtime_classes())
    found = Webhook(cluster, tmp_path_factory.mktemp("webhook"), free_port(), ("--audit-every=3600",))
    install(cluster, found.port)
    found.start()
    found.wait_ready()
    yield found
    assert found.stop() == 0, found.log()


def policy(name: str, *permitted: str, namespace: str = "", **spec: object) -> Object:
    match: Object = {} if namespace else {"match": {"namespaces": {"names": ["team-a"]}}}
    return {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "NamespacedIsolationPolicy" if namespace else "IsolationPolicy",
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "spec": match | {"permitted": list(permitted)} | spec,
    }


def change(cluster: Cluster, body: Object, **spec: object) -> None:
    with cluster.client() as client:
        answer = client.patch(path(body), content=json.dumps({"spec": spec}), headers=MERGE)
    assert answer.status_code == 200, answer.text


def sound(cluster: Cluster, body: Object) -> Object:
    """The condition, of the generation that the object has now; empty while it is of an older one."""
    with cluster.client() as client:
        found = client.get(path(body)).json()
    conditions = found.get("status", {}).get("conditions", ())
    condition = next((each for each in conditions if each["type"] == "Sound"), {})
    return condition if condition.get("observedGeneration") == found["metadata"]["generation"] else {}


def wait_sound(cluster: Cluster, webhook: Webhook, body: Object, status: str, reason: str) -> Object:
    def holds() -> bool:
        found = sound(cluster, body)
        return (found.get("status"), found.get("reason")) == (status, reason)

    wait_for(holds, f"{reason}: {sound(cluster, body)}\n{webhook.log()[-2000:]}")
    return sound(cluster, body)


def row(cluster: Cluster, body: Object) -> Object:
    """What kubectl prints: its columns by name."""
    accept = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    with cluster.client() as client:
        table = client.get(path(body), headers=accept).json()
    names = [each["name"] for each in table["columnDefinitions"]]
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


@pytest.fixture
def pair(cluster: Cluster, webhook: Webhook) -> Iterator[tuple[Object, Object]]:
    found = policy("one", "gvisor"), policy("two", "gvisor", "kata")
    make(cluster, *found)
    yield found
    with cluster.client() as client:
        for each in found:
            assert client.delete(path(each)).status_code == 200


def test_two_policies_come_into_conflict_and_out_of_it(
    cluster: Cluster, webhook: Webhook, pair: tuple[Object, Object]
) -> None:
    one, two = pair
    for each in pair:
        wait_sound(cluster, webhook, each, "True", "NothingFound")
    change(cluster, two, permitted=["kata"])
    told = wait_sound(cluster, webhook, two, "False", "EmptyIntersection")
    assert "spec.permitted" in told["message"]
    assert wait_sound(cluster, webhook, one, "False", "EmptyIntersection")["lastTransitionTime"]
    assert (row(cluster, one)["Sound"], row(cluster, one)["Found"]) == ("False", "EmptyIntersection")
    change(cluster, one, permitted=["gvisor", "kata"])
    for each in pair:
        wait_sound(cluster, webhook, each, "True", "NothingFound")


def test_a_default_that_is_never_set_is_a_warning(
    cluster: Cluster, webhook: Webhook, pair: tuple[Object, Object]
) -> None:
    one, two = pair
    change(cluster, one, permitted=["gvisor", "kata"], default="kata")
    change(cluster, two, default="gvisor")
    assert "never set" in wait_sound(cluster, webhook, two, "True", "Warnings")["message"]


def test_a_policy_that_narrows_to_nothing_and_the_one_that_it_narrows_say_so(
    cluster: Cluster, webhook: Webhook, pair: tuple[Object, Object]
) -> None:
    narrowing = policy("strict", "plain", namespace="team-a")
    make(cluster, narrowing)
    wait_sound(cluster, webhook, narrowing, "False", "EmptyIntersection")
    wait_sound(cluster, webhook, pair[0], "False", "EmptyIntersection")
    with cluster.client() as client:
        assert client.delete(path(narrowing)).status_code == 200
    wait_sound(cluster, webhook, pair[0], "True", "NothingFound")


def test_a_policy_that_is_made_anew_has_a_status_again(
    cluster: Cluster, webhook: Webhook, pair: tuple[Object, Object]
) -> None:
    wait_sound(cluster, webhook, pair[0], "True", "NothingFound")
    with cluster.client() as client:
        assert client.delete(path(pair[0])).status_code == 200
        assert client.post(path(pair[0]).rpartition("/")[0], json=pair[0]).status_code == 201
    wait_sound(cluster, webhook, pair[0], "True", "NothingFound")
