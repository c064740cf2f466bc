"""What `casemate node` tells a real API server, and how nodes take turns there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from apiserver import Cluster as Server

from casemate.errors import IncompleteError, MissingError, RefusedError
from casemate.node import cluster as told
from casemate.node import turn
from casemate.node.cluster import Cluster
from casemate.node.document import at

CLASS: dict[str, object] = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "n-gvisor"},
    "handler": "runsc",
    "scheduling": {"nodeSelector": {"node.casemate.dev/runsc": "ready"}},
    "overhead": {"podFixed": {"memory": "32Mi"}},
}


def quiet(_: str) -> None:
    """Nobody watches."""


def node_object(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


@pytest.fixture
def node(cluster: Server) -> Iterator[Cluster]:
    """A connection about a node that the cluster knows."""
    cluster.apply("/api/v1/nodes", node_object("n-1"), node_object("n-2"))
    with told.connect(cluster.kubeconfig("admin"), None, "n-1") as found:
        yield found
    with cluster.client() as client:
        for path in ("/api/v1/nodes/n-1", "/api/v1/nodes/n-2", "/apis/node.k8s.io/v1/runtimeclasses/n-gvisor"):
            client.delete(path)


def labels(node: Cluster) -> dict[str, object]:
    return at(node.get(node.node_path) or {}, ("metadata", "labels"))


def overhead(node: Cluster) -> dict[str, object]:
    return at(node.get("/apis/node.k8s.io/v1/runtimeclasses/n-gvisor") or {}, ("overhead", "podFixed"))


def report_handlers(node: Cluster, *names: str) -> None:
    body = {"status": {"runtimeHandlers": [{"name": each} for each in names]}}
    node.patch(f"{node.node_path}/status", body)


def test_a_node_that_the_cluster_does_not_know_is_said(cluster: Server) -> None:
    with pytest.raises(MissingError, match="no node 'nobody'"):
        told.connect(cluster.kubeconfig("admin"), None, "nobody")


def test_the_label_comes_when_the_node_reports_the_handler_and_goes_first(node: Cluster) -> None:
    report_handlers(node, "", "runc")
    with pytest.raises(IncompleteError, match="did not report runsc"):
        told.publish(node, [CLASS], wait=0)
    assert "node.casemate.dev/runsc" not in labels(node)
    report_handlers(node, "", "runc", "runsc")
    assert told.publish(node, [CLASS], wait=0) == ("node.casemate.dev/runsc",)
    assert labels(node)["node.casemate.dev/runsc"] == "ready"
    told.withdraw(node, ["runsc"])
    assert "node.casemate.dev/runsc" not in labels(node)


def test_a_class_gets_the_greatest_overhead_of_all_nodes(node: Cluster) -> None:
    told.publish(node, [CLASS], wait=0)
    told.publish(node, [{**CLASS, "overhead": {"podFixed": {"memory": "48Mi"}}}], wait=0)
    assert overhead(node) == {"memory": "48Mi"}
    told.publish(node, [CLASS], wait=0)
    assert overhead(node) == {"memory": "48Mi"}


def test_a_class_of_another_handler_is_refused(node: Cluster) -> None:
    told.publish(node, [{**CLASS, "handler": "runc"}], wait=0)
    with pytest.raises(RefusedError, match="names handler runc, not runsc"):
        told.publish(node, [CLASS], wait=0)


def test_one_node_at_a_time(cluster: Server, node: Cluster) -> None:
    order: list[str] = []

    def other() -> None:
        with told.connect(cluster.kubeconfig("admin"), None, "n-2") as second, turn.turn(second, quiet, 60):
            order.append("n-2 began")

    with turn.turn(node, quiet, 10):
        waiting = threading.Thread(target=other)
        waiting.start()
        time.sleep(5)
        order.append("n-1 ended")
    waiting.join(60)
    assert order == ["n-1 ended", "n-2 began"]


def test_a_turn_that_does_not_come_is_said(cluster: Server, node: Cluster) -> None:
    with (
        turn.turn(node, quiet, 10),
        told.connect(cluster.kubeconfig("admin"), None, "n-2") as second,
        pytest.raises(IncompleteError, match="turn did not come"),
        turn.turn(second, quiet, 3),
    ):
        pytest.fail("two nodes had their turn at once")


def test_a_failure_is_told_by_condition_and_event(node: Cluster) -> None:
    with pytest.raises(RefusedError), turn.told(node, "Prepared"):
        raise RefusedError("a file was changed")
    found = at(node.get(node.node_path) or {}, ("status",))["conditions"]
    assert isinstance(found, list)
    mine = next(each for each in found if each["type"] == "CasemateReady")
    assert (mine["status"], mine["message"]) == ("False", "a file was changed")
    with turn.told(node, "Prepared"):
        pass
    found = at(node.get(node.node_path) or {}, ("status",))["conditions"]
    assert isinstance(found, list)
    assert [each["status"] for each in found if each["type"] == "CasemateReady"] == ["True"]
    events = (node.get("/api/v1/namespaces/default/events") or {})["items"]
    assert isinstance(events, list)
    assert {"CasemateFailed", "CasematePrepared"} <= {each["reason"] for each in events}


def test_pods_under_handlers_that_go_are_evicted(cluster: Server, node: Cluster) -> None:
    told.publish(node, [CLASS], wait=0)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "n-sandboxed"},
        "spec": {
            "nodeName": "n-1",
            "runtimeClassName": "n-gvisor",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "casemate.local/busybox:1"}],
        },
    }
    other = {**pod, "metadata": {"name": "n-plain"}, "spec": {**pod["spec"], "runtimeClassName": None}}  # type: ignore[dict-item]
    cluster.apply("/api/v1/namespaces/default/pods", pod, other)
    turn.make_room(node, ["runsc"], quiet, wait=30)
    left = (node.get("/api/v1/namespaces/default/pods") or {})["items"]
    assert isinstance(left, list)
    names = {each["metadata"]["name"] for each in left}
    assert "n-sandboxed" not in names
    assert "n-plain" in names
    with cluster.client() as client:
        client.delete("/api/v1/namespaces/default/pods/n-plain", params={"gracePeriodSeconds": 0})
