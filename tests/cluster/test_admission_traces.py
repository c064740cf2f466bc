"""Traces, as a real OpenTelemetry collector receives them from the webhook and from the API server that called it."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from apiserver import Cluster, Running
from collector import Collector, Span
from load import pod, policy, runtime_classes
from webhook import Webhook, free_port, install, make, post, refused_once, wait_for

# The first run on a machine builds the collector, which takes minutes.
pytestmark = pytest.mark.timeout(1200)

Object = dict[str, Any]
SERVER = 2


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with Collector(tmp_path_factory.mktemp("collector")) as found:
        yield found


@pytest.fixture(scope="module")
def cluster(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server that traces every request of its own."""
    kubernetes.build()
    folder = tmp_path_factory.mktemp("traces")
    tracing = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "TracingConfiguration",
        "endpoint": f"127.0.0.1:{collector.grpc}",
        "samplingRatePerMillion": 1_000_000,
    }
    (folder / "tracing.yaml").write_text(yaml.safe_dump(tracing))
    flags = ("--disable-admission-plugins=ServiceAccount", f"--tracing-config-file={folder}/tracing.yaml")
    with Running(folder, *flags) as found:
        make(found, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}, *runtime_classes())
        yield found


@contextmanager
def traced(cluster: Cluster, folder: Path, port: int, endpoint: str, **more: str) -> Iterator[Webhook]:
    """A webhook that sends its spans there."""
    found = Webhook(cluster, folder, port, ("--audit-every=3600", "--probe-every=3600", "--workers=1"))
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200", **more}.items():
            environment.setenv(name, value)
        found.start()
        found.wait_ready()
        yield found
        assert found.stop() == 0, found.log()


@pytest.fixture(scope="module")
def port(cluster: Cluster) -> int:
    """Where the API server looks for the webhook, with a policy that is in force there."""
    found = free_port()
    install(cluster, found)
    return found


@pytest.fixture(scope="module")
def webhook(
    cluster: Cluster, collector: Collector, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    folder = tmp_path_factory.mktemp("webhook")
    with traced(cluster, folder, port, f"http://127.0.0.1:{collector.http}") as found:
        make(cluster, policy("gvisor"))
        wait_for(lambda: refused_once(cluster, pod("plain")), "the policy to be in force")
        yield found


@pytest.fixture
def sending(cluster: Cluster, webhook: Webhook) -> Webhook:
    """The webhook, also after a test that ended it."""
    assert webhook.process
    if webhook.process.poll() is not None:
        webhook.start()
        webhook.wait_ready()
        wait_for(lambda: refused_once(cluster, pod("plain")), "the policy to be in force")
    return webhook


def ours(collector: Collector, holds: Callable[[Span], object]) -> list[Span]:
    return [
        each for each in collector.spans() if each.resource.get("service.name") == "casemate-admission" and holds(each)
    ]


def wait_spans(collector: Collector, holds: Callable[[Span], object], count: int = 1) -> list[Span]:
    wait_for(lambda: len(ours(collector, holds)) >= count, "spans")
    return ours(collector, holds)


def test_a_pod_is_a_span_of_mutate_and_one_of_validate_with_what_was_decided(
    cluster: Cluster, sending: Webhook, collector: Collector
) -> None:
    assert post(cluster, pod()).status_code == 201
    (mutated, *_) = wait_spans(collector, lambda each: each.attributes.get("casemate.decision") == "change")
    assert (mutated.name, mutated.kind, mutated.failed) == ("/mutate", SERVER, False)
    assert mutated.attributes["casemate.rules"] == ["default-set"]
    assert mutated.attributes["casemate.policies"] == ["tenants"]
    assert mutated.attributes["k8s.namespace.name"] == "team-a"
    assert mutated.attributes["casemate.operation"] == "CREATE"
    assert mutated.attributes["casemate.resource"] == "pods"
    uid = mutated.attributes["casemate.uid"]
    (validated,) = wait_spans(collector, lambda each: each.trace == mutated.trace and each.name == "/validate")
    assert validated.attributes["casemate.decision"] == "allow"
    assert validated.attributes["casemate.uid"] != uid


def test_a_span_stands_below_the_api_server_s_own(cluster: Cluster, sending: Webhook, collector: Collector) -> None:
    """Its call of the webhook, which is part of the request that somebody sent it."""
    assert post(cluster, pod("plain")).status_code == 403
    (denied, *_) = wait_spans(
        collector, lambda each: each.name == "/validate" and each.attributes.get("casemate.decision") == "deny"
    )

    def above(span: Span) -> Span | None:
        return next((each for each in collector.spans() if (each.trace, each.id) == (span.trace, span.parent)), None)

    def root() -> Span | None:
        found: Span | None = denied
        while found and found.parent:
            found = above(found)
        return found

    wait_for(root, "the API server's own spans")
    parent = above(denied)
    assert parent
    assert parent.resource["service.name"] == "apiserver"
    top = root()
    assert top
    assert top.resource["service.name"] == "apiserver"
    assert top.id not in (denied.id, parent.id)


def test_the_last_spans_are_sent_when_it_ends(cluster: Cluster, webhook: Webhook, collector: Collector) -> None:
    """Well before their turn, which an hour's delay puts off."""

    def received() -> bool:
        return any(each.resource.get("service.name") == "ends" for each in collector.spans())

    webhook.stop()
    endpoint = f"http://127.0.0.1:{collector.http}"
    more = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_SERVICE_NAME": "ends"}
    with traced(cluster, webhook.folder, webhook.port, endpoint, **more):
        wait_for(lambda: refused_once(cluster, pod("plain")), "the policy to be in force")
        assert not received()
    wait_for(received, "spans")


@contextmanager
def nobody() -> Iterator[str]:
    """No one listens."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def silent() -> Iterator[str]:
    """Somebody takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("receiver", [nobody, silent])
def test_a_dead_receiver_neither_slows_nor_fails_admission(
    cluster: Cluster, webhook: Webhook, receiver: Callable[[], AbstractContextManager[str]]
) -> None:
    """The queue is full after 20 requests; to wait for one delivery would take 10 s."""
    webhook.stop()
    more = {"OTEL_BSP_MAX_QUEUE_SIZE": "32", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16"}
    with receiver() as endpoint, traced(cluster, webhook.folder, webhook.port, endpoint, **more) as dead:
        wait_for(lambda: refused_once(cluster, pod("plain")), "the policy to be in force")
        times = [seconds_of(cluster) for _ in range(60)]
        assert statistics.median(times) < 2, times
        began = time.monotonic()
        assert dead.stop() == 0
        assert time.monotonic() - began < 15


def seconds_of(cluster: Cluster) -> float:
    began = time.monotonic()
    answer = post(cluster, pod(), dry_run=True)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["runtimeClassName"] == "gvisor"
    return time.monotonic() - began
