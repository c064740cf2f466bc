"""Traces of calls, for OpenTelemetry: only where its environment says where to send them.

1. `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` turns them on; without, nothing of
   OpenTelemetry is even imported. They go out over HTTP (`http/protobuf`), as OpenTelemetry has it by default; its
   other variables (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`) count too.
2. A span carries on the API server's (`traceparent`), whose own span it then stands below. One that ends without a
   verdict is an error: what it was about was denied unjudged.
3. Spans wait in a queue of bounded length and are sent by a thread of their own. A receiver that is away or slow costs
   spans, and neither time nor an answer.
4. Who ends sends what it still has, for a moment and no longer.

Source: OpenTelemetry's specification of trace SDKs; semantic conventions for HTTP servers and Kubernetes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol

from casemate import __version__
from casemate.admission.review import AdmissionRequest
from casemate.model.policy import Verdict

_SENDS_THE_REST_WITHIN: Final = 2.0
_NAME: Final = "casemate-admission"


class Span(Protocol):
    """What is noted of one call."""

    def decided(self, verdict: Verdict) -> None:
        """Note the verdict."""


class Tracer(Protocol):
    """Makes spans."""

    def span(self, scope: MutableMapping[str, Any], request: AdmissionRequest) -> AbstractContextManager[Span]:
        """The span of one call, to be entered."""

    def close(self) -> None:
        """Send what has not been sent yet, as far as that is quick."""


class _Silent:
    def decided(self, verdict: Verdict) -> None:
        """Nothing is noted."""

    def span(self, _scope: MutableMapping[str, Any], _request: AdmissionRequest) -> AbstractContextManager[Span]:
        return nullcontext(self)

    def close(self) -> None:
        """Nothing was noted."""


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

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or _NAME, "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    made = provider.get_tracer("casemate.admission", __version__)

    class _Noted:
        def __init__(self, span: trace.Span) -> None:
            self._span = span
            self.verdict = False

        def decided(self, verdict: Verdict) -> None:
            self.verdict = True
            self._span.set_attribute("casemate.decision", str(verdict.decision))
            self._span.set_attribute("casemate.policies", [each.policy for each in verdict.reasons])
            self._span.set_attribute("casemate.rules", [str(each.rule) for each in verdict.reasons])

    class _Sending:
        @contextmanager
        def span(self, scope: MutableMapping[str, Any], request: AdmissionRequest) -> Iterator[Span]:
            path = str(scope["path"])
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            above, kind = extract(headers), trace.SpanKind.SERVER
            facts = _facts(request) | {"http.request.method": "POST", "url.path": path}
            with made.start_as_current_span(path, context=above, kind=kind, attributes=facts) as span:
                noted = _Noted(span)
                yield noted
                if not noted.verdict:
                    span.set_status(trace.StatusCode.ERROR, "denied unjudged")

        def close(self) -> None:
            sending = threading.Thread(target=provider.shutdown, daemon=True)
            sending.start()
            sending.join(_SENDS_THE_REST_WITHIN)

    return _Sending()


def _facts(request: AdmissionRequest) -> dict[str, str | bool]:
    resource = "/".join(filter(None, (request.resource.resource, request.sub_resource)))
    return {
        "k8s.namespace.name": request.namespace,
        "casemate.resource": resource,
        "casemate.operation": request.operation,
        "casemate.uid": request.uid,
        "casemate.dry_run": bool(request.dry_run),
    }
