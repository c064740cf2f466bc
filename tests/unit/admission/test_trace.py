"""Spans as they go over the wire, and that nothing waits for who should receive them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from casemate.admission.review import AdmissionRequest, Resource
from casemate.admission.trace import Tracer, tracer
from casemate.model.policy import Decision, Verdict

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PODS = Resource("", "v1", "pods")
REQUEST = AdmissionRequest(uid="u", resource=PODS, operation="UPDATE", sub_resource="resize", namespace="team-a")


class Receiver:
    """Takes OTLP over HTTP, as its specification has it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                    receiver.spans += [span for scope in each.scope_spans for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    found = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{found.server.server_port}")
    yield found
    found.server.shutdown()
    found.server.server_close()


def call(of: Tracer, traceparent: str = "", *, decided: bool = True) -> None:
    headers = [(b"traceparent", traceparent.encode())] if traceparent else []
    with of.span({"path": "/validate", "headers": headers}, REQUEST) as span:
        if decided:
            span.decided(Verdict(decision=Decision.ALLOW))


def sent(receiver: Receiver, traceparent: str = "", *, decided: bool = True) -> Span:
    of = tracer()
    call(of, traceparent, decided=decided)
    of.close()
    (found,) = receiver.spans
    return found


def test_a_span_stands_below_the_one_that_the_caller_names(receiver: Receiver) -> None:
    found = sent(receiver, f"00-{TRACE}-{PARENT}-01")
    assert (found.trace_id.hex(), found.parent_span_id.hex()) == (TRACE, PARENT)
    assert found.kind == Span.SPAN_KIND_SERVER
    said = {each.key: each.value.string_value for each in found.attributes}
    assert (said["casemate.decision"], said["casemate.resource"]) == ("allow", "pods/resize")


@pytest.mark.parametrize("header", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", "00-" + "f" * 5000, "\xff"])
def test_a_parent_that_cannot_be_read_is_none(receiver: Receiver, header: str) -> None:
    assert not sent(receiver, header).parent_span_id


def test_what_was_denied_unjudged_is_an_error(receiver: Receiver) -> None:
    assert sent(receiver, decided=False).status.code == Status.STATUS_CODE_ERROR


def test_a_caller_that_samples_nothing_is_asked_for_nothing(receiver: Receiver) -> None:
    of = tracer()
    call(of, f"00-{TRACE}-{PARENT}-00")
    of.close()
    assert not receiver.spans


def test_who_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        )
        of = tracer()
        began = time.monotonic()
        for _ in range(5000):
            call(of)
        of.close()
        assert time.monotonic() - began < 10  # 5,000 spans take half a second, and the last ones get two


def test_without_a_receiver_nothing_of_it_is_imported() -> None:
    code = "import sys; from casemate.admission import trace; trace.tracer(); print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
