"""The two hot paths as one ASGI callable: a call in, one verdict, one answer.

1. Only POST of JSON to `/mutate` and `/validate`. Everything else is for the application behind this one.
2. A body has a size limit, an object one for its entries (`size`), and it has to arrive in time. All bodies together
   are bounded: beyond that a caller is told to come back (429), which the API server's client does. The time to judge
   is bounded too.
3. Whatever goes wrong while judging is a denial with a clear message: never an admission, never an empty answer.
4. Without policies, which is while they have not been read yet, everything is denied.
5. While the process drains, each answer closes its connection, so that callers go elsewhere before it ends.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final, Protocol

import structlog

from casemate.admission import judge, probes, review, size
from casemate.admission.judge import Standing
from casemate.admission.metrics import Counters
from casemate.admission.patience import Judging, LateError, Waits
from casemate.admission.review import AdmissionRequest, Answer, Unreadable
from casemate.admission.trace import Tracer
from casemate.errors import InputError
from casemate.model.policy import Decision, Verdict

MOST_BYTES: Final = 16 << 20
_MOST_AT_ONCE: Final = 128 << 20
_ARRIVES_WITHIN: Final = 10.0
_JUDGED_WITHIN: Final = 4.0
_LABELLED: Final = 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = structlog.get_logger("casemate.admission")


class Knowledge(Protocol):
    """What a request is judged by."""

    @property
    def standing(self) -> Standing | None:
        """The policies, or None while there are none yet."""

    async def labels(self, namespace: str) -> dict[str, str] | None:
        """The labels of a namespace; None when they cannot be had."""


class _RefusedError(Exception):
    def __init__(self, status: int, why: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.why = why


class Admission:
    """The callable. The worker has `arrivals` looked at and `judging` watched, and sets `draining` when it ends."""

    def __init__(self, knowledge: Knowledge, counters: Counters, tracer: Tracer, rest: ASGI) -> None:
        self._knowledge = knowledge
        self._counters = counters
        self._tracer = tracer
        self._rest = rest
        self._held = 0
        self._answers = {"/mutate": judge.mutated, "/validate": judge.validated}
        self._seconds = {path: counters.seconds.labels(path) for path in self._answers}
        self._judgements = lru_cache(_LABELLED)(counters.requests.labels)
        self._reasons = lru_cache(_LABELLED)(counters.reasons.labels)
        self.arrivals = Waits(_ARRIVES_WITHIN)
        self.judging = Judging(_JUDGED_WITHIN)
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call, as ASGI has it."""
        if scope["type"] != "http" or scope["path"] not in self._answers:
            await self._rest(scope, receive, send)
            return
        try:
            status, body = 200, await self._answered(scope, receive)
        except _RefusedError as error:
            self._counters.refused.labels(error.why).inc()
            _log.warning("refused", why=error.why, message=str(error), path=scope["path"])
            status, body = error.status, str(error).encode()
        await self._send(send, status, body)

    async def _send(self, send: Send, status: int, body: bytes) -> None:
        kind = b"application/json" if status == 200 else b"text/plain; charset=utf-8"
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        if status == 429:
            headers.append((b"retry-after", b"1"))
        if self.draining or status != 200:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answered(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise _RefusedError(405, "method", "only POST is answered here")
        held = [0]
        try:
            self._hold(_announced(scope), held)
            body = await self._arrived(receive, held)
            began = time.perf_counter()
            answer = await self._judged(scope, body)
        finally:
            self._held -= held[0]
        self._seconds[scope["path"]].observe(time.perf_counter() - began)
        return review.encode(answer)

    async def _arrived(self, receive: Receive, held: list[int]) -> bytes:
        try:
            return await self.arrivals.of(self._body(receive, held))
        except LateError:
            raise _RefusedError(408, "slow", f"the body did not arrive within {_ARRIVES_WITHIN:g} s") from None

    async def _body(self, receive: Receive, held: list[int]) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise _RefusedError(400, "gone", "the caller has gone")
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            self._hold(size, held)
            if not message.get("more_body"):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _hold(self, size: int, held: list[int]) -> None:
        """Count a body's bytes among those that are held: first what it says it has, then what comes."""
        if size <= held[0]:
            return
        if size > MOST_BYTES:
            raise _RefusedError(413, "size", f"more than {MOST_BYTES >> 20} MiB")
        if self._held + size - held[0] > _MOST_AT_ONCE:
            raise _RefusedError(429, "busy", "too much at once")
        self._held += size - held[0]
        held[0] = size

    async def _judged(self, scope: Scope, body: bytes) -> Answer:
        try:
            request = review.decode(body)
        except InputError as error:
            raise _RefusedError(400, "malformed", error.what) from None
        if isinstance(request, Unreadable):
            self._counters.refused.labels("malformed").inc()
            return review.denied(request.uid, f"casemate: the request cannot be read: {request.problem} (malformed)")
        if len(body) > size.SMALL and size.is_too_large(request.new):
            self._counters.refused.labels("entries").inc()
            text = (
                f"casemate: more than {size.MOST_ENTRIES} entries in lists and mappings: too much to judge (malformed)"
            )
            return review.denied(request.uid, text)
        with self._tracer.span(scope, request) as span:
            verdict = await self._verdict(request)
            if isinstance(verdict, str):
                self._counters.refused.labels("fault").inc()
                return review.denied(request.uid, f"casemate: {verdict}")
            span.decided(verdict)
        self._count(scope["path"], request, verdict)
        return self._answers[scope["path"]](request.uid, verdict)

    async def _verdict(self, request: AdmissionRequest) -> Verdict | str:
        """The verdict, or what went wrong, which denies."""
        try:
            labels = await self._knowledge.labels(request.namespace) if judge.is_about_namespace(request) else None
            standing = self._knowledge.standing
            if standing is None:
                return "policies have not been read yet; try again"
            with self.judging:
                return judge.judge(standing, request, labels, datetime.datetime.now(datetime.UTC))
        except LateError:
            _log.error("too slow", uid=request.uid, namespace=request.namespace, name=request.name)
            return f"not judged within {_JUDGED_WITHIN:g} s; make the object or the policies smaller"
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not admit
            _log.exception("fault", uid=request.uid, namespace=request.namespace, name=request.name)
            return f"an error inside casemate ({type(error).__name__}); its log has {request.uid}"

    def _count(self, path: str, request: AdmissionRequest, verdict: Verdict) -> None:
        self._judgements(path, request.operation, verdict.decision).inc()
        if path == "/mutate":
            return
        for each in verdict.reasons:
            self._reasons(each.policy, each.rule, each.mode).inc()
        if verdict.decision is not Decision.ALLOW:
            say = _log.debug if request.dry_run and request.name == probes.NAME else _log.info
            say("denied", **_facts(request), because=judge.message(verdict))


def _facts(request: AdmissionRequest) -> dict[str, object]:
    resource = "/".join(filter(None, (request.resource.resource, request.sub_resource)))
    return {
        "uid": request.uid,
        "operation": request.operation,
        "resource": resource,
        "namespace": request.namespace,
        "name": request.name,
        "user": request.user_info.username,
        "dry_run": bool(request.dry_run),
    }


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
