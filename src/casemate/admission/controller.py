"""The process beside the workers: it follows policies, keeps the certificate, and says how all are.

1. It publishes what workers apply (`published`), and serves `/livez`, `/readyz` and `/metrics` over plain HTTP.
2. Ready: a worker is well and applies the rules that were published last, the certificate is published, API servers
   were told of its CA, and no probe was let through.
3. When it ends, workers go on with what they have, and it is started anew.
"""

from __future__ import annotations

import asyncio
import datetime
import signal
import socket
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from casemate.admission import authority, file_rules, metrics
from casemate.admission.authority import Authority, InFolder, InSecret
from casemate.admission.board import Board
from casemate.admission.certificates import Wanted
from casemate.admission.cluster_rules import ClusterRules
from casemate.admission.kube import Kube
from casemate.admission.metrics import Gauges
from casemate.admission.published import Certificate, Namespaces, Rules, State
from casemate.admission.settings import Serving
from casemate.catalogue import Catalogue

_WELL_WITHIN: Final = 5.0

_log = structlog.get_logger("casemate.admission")


def check(serving: Serving) -> None:
    """Read what is given in files, so that a mistake ends the command instead of every worker."""
    if serving.inputs:
        file_rules.read(serving.inputs)
    if serving.files:
        authority.read_files(serving.files)


def run(serving: Serving, board: Board, gauges: Gauges, health: socket.socket, catalogue: Catalogue) -> None:
    """Work until told to end."""
    metrics.take_role("controller")
    asyncio.run(Controller(serving, board, gauges, catalogue).work(health))


class Controller:
    """One process' work."""

    def __init__(self, serving: Serving, board: Board, gauges: Gauges, catalogue: Catalogue) -> None:
        self._serving = serving
        self._board = board
        self._gauges = gauges
        self._catalogue = catalogue
        self._state = State(serving.state)
        self._kube = Kube(serving.kubeconfig, serving.context)
        self._revision = 0
        self._certified = False
        self._authority: Authority | None = None
        self._draining = False

    async def work(self, health: socket.socket) -> None:
        """Do everything at once, until SIGTERM and the time to drain."""
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._drain, ending)
        tasks = [asyncio.create_task(each) for each in (self._serve(health), self._keep(), self._follow())]
        told = asyncio.create_task(ending.wait())
        await asyncio.wait({*tasks, told}, return_when=asyncio.FIRST_COMPLETED)
        for each in tasks:
            if each.done():
                each.result()  # None of them ends by itself: this raises what went wrong.
            each.cancel()

    def _drain(self, ending: asyncio.Event) -> None:
        self._draining = True
        asyncio.get_running_loop().call_later(self._serving.drain, ending.set)

    async def _follow(self) -> None:
        if self._serving.in_cluster:
            await ClusterRules(self._kube, self._publish, self._name).follow()
        else:
            await file_rules.follow(self._serving.inputs, self._publish, self._name)

    def _publish(self, rules: Rules) -> None:
        self._state.rules.publish(rules)
        self._revision = rules.revision
        self._gauges.revision.set(rules.revision)
        counts = (("policy", "applied", rules.policies), ("exception", "applied", rules.exceptions))
        for kind, state, found in (*counts, ("policy", "unreadable", rules.unread)):
            self._gauges.policies.labels(kind, state).set(len(found))
        _log.info("rules", revision=rules.revision, policies=len(rules.policies), exceptions=len(rules.exceptions))

    def _name(self, namespaces: Namespaces) -> None:
        self._state.namespaces.publish(namespaces)

    async def _keep(self) -> None:
        if self._serving.files:
            await authority.keep_files(self._serving.files, self._certify, self._note_end)
            return
        own = self._serving.policy.own_namespace
        keeping = InSecret(self._kube, own) if self._serving.in_cluster else InFolder(self._serving.state)
        lifetime = datetime.timedelta(seconds=self._serving.lifetime)
        wanted = Wanted(tuple(_names(self._serving)), lifetime)
        self._authority = Authority(keeping, wanted, self._certify, self._note_end)
        await self._authority.keep()

    def _certify(self, certificate: Certificate) -> None:
        self._state.certificate.publish(certificate)
        self._certified = True

    def _note_end(self, which: str, when: float) -> None:
        self._gauges.expires.labels(which).set(when)

    async def _serve(self, health: socket.socket) -> None:
        routes = [
            Route("/livez", lambda _request: PlainTextResponse("alive")),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
        ]
        app = Starlette(routes=routes)
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False)
        server = _Quiet(config)
        await server.serve(sockets=[health])

    async def _ready(self, _request: Request) -> Response:
        lacks = list(self._lacks())
        return PlainTextResponse("\n".join(lacks) or "ready", status_code=503 if lacks else 200)

    def _lacks(self) -> Iterator[str]:
        if self._draining:
            yield "draining"
        if not self._revision:
            yield "policies have not been read yet"
        if not self._certified:
            yield "there is no certificate yet"
        if self._authority and not self._authority.told:
            yield "API servers were not told of the CA yet"
        if self._revision and not self._well():
            yield "no worker applies the policies yet"

    def _well(self) -> int:
        well = sum(each == self._revision for each in self._board.revisions(_WELL_WITHIN))
        self._gauges.workers.set(well)
        return well

    async def _metrics(self, _request: Request) -> Response:
        self._well()
        return Response(self._gauges.exposition(), media_type=metrics.CONTENT_TYPE)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the process."""

    def capture_signals(self):  # type: ignore[no-untyped-def]
        from contextlib import nullcontext

        return nullcontext()


def _names(serving: Serving) -> Iterator[str]:
    """What the certificate has to say: the service's names in a cluster, and where else callers go."""
    service, namespace = serving.service, serving.policy.own_namespace
    if serving.in_cluster:
        yield from (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local")
    yield from serving.host_names
    if not serving.in_cluster:
        yield from ("localhost", "127.0.0.1", "::1")
