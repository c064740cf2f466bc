"""Traces of calls, for OpenTelemetry: only where its environment says where to send them.

1. `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` turns them on; without, nothing of
   OpenTelemetry is even imported.
2. A span carries on the API server's (`traceparent`), whose own span it then stands below.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from casemate.admission.review import AdmissionRequest
from casemate.model.policy import Verdict


class Span(Protocol):
    """What is noted of one call."""

    def decided(self, verdict: Verdict) -> None:
        """Note the verdict."""


class Tracer(Protocol):
    """Makes spans."""

    def span(self, scope: MutableMapping[str, Any], request: AdmissionRequest) -> AbstractContextManager[Span]:
        """The span of one call, to be entered."""


class _Silent:
    def decided(self, verdict: Verdict) -> None:
        """Nothing is noted."""

    def span(self, _scope: MutableMapping[str, Any], _request: AdmissionRequest) -> AbstractContextManager[Span]:
        return nullcontext(self)


def tracer() -> Tracer:
    """A tracer that sends spans, if the environment asks for it. To be made after processes were forked."""
    wanted = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return _sending() if any(os.environ.get(each) for each in wanted) else _Silent()


def _sending() -> Tracer:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.propagate import extract
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "casemate-admission"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    made = provider.get_tracer("casemate.admission")

    class _Noted:
        def __init__(self, span: trace.Span) -> None:
            self._span = span

        def decided(self, verdict: Verdict) -> None:
            self._span.set_attribute("casemate.decision", str(verdict.decision))
            self._span.set_attribute("casemate.rules", [str(each.rule) for each in verdict.reasons])

    class _Sending:
        @contextmanager
        def span(self, scope: MutableMapping[str, Any], request: AdmissionRequest) -> Iterator[Span]:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            facts = {
                "k8s.namespace.name": request.namespace,
                "casemate.resource": request.resource.resource,
                "casemate.operation": request.operation,
                "casemate.uid": request.uid,
            }
            with made.start_as_current_span(str(scope["path"]), context=extract(headers), attributes=facts) as span:
                yield _Noted(span)

    return _Sending()
