"""A worker: one process that answers calls on a socket it was given.

1. It looks for published rules, namespaces and certificates twenty times a second, and swaps each as a whole.
2. A namespace that is not known yet is asked for at the API server, briefly; when that does not tell, the policies that
   need its labels deny.
3. SIGTERM: answer on, asking callers to leave, for as long as endpoints may still name this replica; then end when the
   last answer is given.
4. Connections are kept for longer than the API server's client keeps an idle one (90 s): who closes first loses what
   the other is sending.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from dataclasses import dataclass
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from casemate.admission import metrics, tls, trace
from casemate.admission.app import Admission
from casemate.admission.board import Board
from casemate.admission.corked import Corked
from casemate.admission.judge import Standing
from casemate.admission.metrics import Counters
from casemate.admission.namespaces import Asker
from casemate.admission.published import Namespaces, State
from casemate.admission.settings import Serving
from casemate.admission.trace import Tracer
from casemate.catalogue import Catalogue
from casemate.errors import InputError

_LOOKS_EVERY: Final = 0.05
_KEPT_ALIVE: Final = 180
_MOST_CONNECTIONS: Final = 4096
_LAST_ANSWERS_WITHIN: Final = 15

_log = structlog.get_logger("casemate.admission")


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is given by the process that forks it."""

    slot: int
    socket: socket.socket
    board: Board
    counters: Counters
    catalogue: Catalogue


class Known:
    """What this worker knows by now."""

    def __init__(self, serving: Serving, catalogue: Catalogue, context: ssl.SSLContext) -> None:
        self._serving = serving
        self._catalogue = catalogue
        self._context = context
        self._state = State(serving.state)
        self._namespaces: Namespaces = {}
        self._asker = Asker(serving) if serving.in_cluster else None
        self.standing: Standing | None = None
        self.certified = False

    def look(self) -> None:
        """Take over what was published."""
        if rules := self._state.rules.changed():
            self.standing = rules.standing(self._catalogue, self._serving.policy)
            gc.freeze()  # Rules live long: the collector need not walk them.
        if (namespaces := self._state.namespaces.changed()) is not None:
            self._namespaces = namespaces
        if certificate := self._state.certificate.changed():
            tls.load(self._context, certificate)
            self.certified = True

    async def labels(self, namespace: str) -> dict[str, str] | None:
        """The labels of a namespace; None when they cannot be had."""
        found = self._namespaces.get(namespace)
        if found is None and self._asker:
            return await self._asker.labels(namespace)
        return found

    @property
    def ready(self) -> bool:
        """Whether calls can be judged."""
        return self.standing is not None and self.certified


def run(serving: Serving, place: Place) -> None:
    """Serve until told to end."""
    metrics.take_role(f"worker{place.slot}")
    tracer = trace.tracer()
    server = _Server(serving, place, tracer)
    try:
        server.run(sockets=[place.socket])
    finally:
        tracer.close()


class _Server(uvicorn.Server):
    """Uvicorn with an end in two steps."""

    def __init__(self, serving: Serving, place: Place, tracer: Tracer) -> None:
        self._context = tls.server_context(serving.callers)
        self._known = Known(serving, place.catalogue, self._context)
        self._place = place
        self._serving = serving
        self._app = Admission(self._known, place.counters, tracer, _rest(self._known))
        super().__init__(
            uvicorn.Config(
                self._app,
                loop="uvloop",
                http=_protocol(serving),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_keep_alive=_KEPT_ALIVE,
                timeout_graceful_shutdown=_LAST_ANSWERS_WITHIN,
                ssl_context_factory=lambda _config, _default: self._context,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        while not self._known.certified:
            self._look()
            if self.should_exit:
                return
            await asyncio.sleep(_LOOKS_EVERY)
        await super().startup(sockets)
        self._app.judging.watch()
        self._looking = asyncio.create_task(self._keep_looking())

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002 - uvicorn calls it
        if self._app.draining:
            return
        self._app.draining = True
        asyncio.get_event_loop().call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        asyncio.get_running_loop().call_later(self._serving.drain, self._end)

    def _end(self) -> None:
        self.should_exit = True

    async def _keep_looking(self) -> None:
        while True:
            self._look()
            self._app.arrivals.look()
            await asyncio.sleep(_LOOKS_EVERY)

    def _look(self) -> None:
        try:
            self._known.look()
        except (InputError, ValueError) as error:
            _log.error("what was published cannot be used; keeping what there is", error=str(error))
        standing = self._known.standing
        self._place.board.sign(self._place.slot, standing.revision if standing else 0)


def _protocol(serving: Serving) -> type[asyncio.Protocol]:
    names = serving.callers.names if serving.callers else ()

    class Guarded(HttpToolsProtocol):
        """Lets in whose certificate has one of the names, if some are given, and answers in one piece."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(Corked(transport, self.loop))
            if names and not tls.is_welcome(transport.get_extra_info("peercert"), names):
                _log.warning("refused", why="caller", client=self.client)
                transport.abort()

    return Guarded


def _rest(known: Known) -> Starlette:
    def ready(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(*(("ready", 200) if known.ready else ("not ready", 503)))

    def alive(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("alive")

    return Starlette(routes=[Route("/livez", alive), Route("/readyz", ready)])
