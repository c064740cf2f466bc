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
import ssl
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from casemate.admission import authority, bites, file_rules, metrics
from casemate.admission.authority import Authority, InFolder, InSecret
from casemate.admission.bites import Ask
from casemate.admission.board import Board
from casemate.admission.certificates import Wanted
from casemate.admission.cluster_rules import ClusterRules
from casemate.admission.duties import Auditor, Current, Prober, Round
from casemate.admission.kube import Kube
from casemate.admission.leader import Leader
from casemate.admission.metrics import Gauges
from casemate.admission.probes import Asker
from casemate.admission.published import Certificate, Namespaces, Rules, State
from casemate.admission.settings import Serving
from casemate.admission.statuses import Statuses
from casemate.catalogue import Catalogue

_WELL_WITHIN: Final = 5.0
_BEATS_EVERY: Final = 1.0
_NOBODY: Final = "casemate:probe"

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
        self._rules = ClusterRules(self._kube, self._publish, self._name)
        self._revision = 0
        self._certified = asyncio.Event()
        self._authority: Authority | None = None
        self._draining = False
        self._current = Current()
        # The same after a restart, and another's in another replica: nobody has to wait for a Lease of one's own.
        name = f"{socket.gethostname()}_{uuid.uuid5(uuid.NAMESPACE_URL, str(serving.state.resolve()))}"
        self._leader = Leader(self._kube, serving.policy.own_namespace, name)
        self._prober: Prober | None = None

    async def work(self, health: socket.socket) -> None:
        """Do everything at once, until SIGTERM and the time to drain."""
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._drain, ending)
        work = (self._serve(health), self._keep(), self._follow(), self._do_duties(), self._beat())
        tasks = [asyncio.create_task(each) for each in work]
        told = asyncio.create_task(ending.wait())
        await asyncio.wait({*tasks, told}, return_when=asyncio.FIRST_COMPLETED)
        for each in tasks:
            if each.done():
                each.result()  # None of them ends by itself: this raises what went wrong.
            each.cancel()
        await self._leader.release()

    def _drain(self, ending: asyncio.Event) -> None:
        self._draining = True
        asyncio.get_running_loop().call_later(self._serving.drain, ending.set)

    async def _beat(self) -> None:
        while True:
            self._board.sign(self._board.controller)
            await asyncio.sleep(_BEATS_EVERY)

    async def _follow(self) -> None:
        if self._serving.in_cluster:
            await self._rules.follow()
        else:
            await file_rules.follow(self._serving.inputs, self._publish, self._name)

    def _publish(self, rules: Rules) -> None:
        self._state.rules.publish(rules)
        self._current.take(rules)
        self._revision = rules.revision
        self._gauges.revision.set(rules.revision)
        counts = (("policy", "applied", rules.policies), ("exception", "applied", rules.exceptions))
        for kind, state, found in (*counts, ("policy", "unreadable", rules.unread)):
            self._gauges.policies.labels(kind, state).set(len(found))
        _log.info("rules", revision=rules.revision, policies=len(rules.policies), exceptions=len(rules.exceptions))

    def _name(self, namespaces: Namespaces) -> None:
        self._state.namespaces.publish(namespaces)
        self._current.namespaces = namespaces

    async def _do_duties(self) -> None:
        """Probe and audit; in a cluster as its leader, for all replicas."""
        if self._serving.in_cluster:
            await self._lead()
        elif self._serving.callers:
            await asyncio.Event().wait()  # Nobody but those callers is answered, not even we.
        else:
            await self._certified.wait()
            context = _context(self._serving)
            address = _own_address(self._serving)
            await self._probe(bites.directly(address, context, _NOBODY), Asker(_NOBODY, kind="Pod"), lambda: True)

    async def _lead(self) -> None:
        asker = Asker(f"system:serviceaccount:{self._serving.policy.own_namespace}:{self._serving.service}")
        auditor = Auditor(self._serving, self._catalogue, self._gauges, self._kube)
        audit = Round(
            self._current,
            lambda: self._serving.audit,
            lambda: self._leader.leads,
            lambda rules: auditor.audit(rules, self._current.namespaces),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._leader.hold())
            group.create_task(audit.run())
            group.create_task(self._probe(bites.through(self._kube), asker, lambda: self._leader.leads))

    async def _probe(self, ask: Ask, asker: Asker, may: Callable[[], bool]) -> None:
        prober = self._prober = Prober(self._serving, self._catalogue, self._gauges, ask, asker)
        if self._serving.in_cluster:
            prober.statuses = Statuses(self._kube, self._rules)
        await Round(self._current, prober.every, may, lambda rules: prober.probe(rules, self._current.namespaces)).run()

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
        self._certified.set()

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
        if not self._certified.is_set():
            yield "there is no certificate yet"
        if self._authority and not self._authority.told:
            yield "API servers were not told of the CA yet"
        if self._revision and not self._well():
            yield "no worker applies the policies yet"
        if self._prober and self._prober.let_through:
            yield f"let through what must be denied: {', '.join(self._prober.let_through)}"

    def _well(self) -> int:
        well = sum(each == self._revision for each in self._board.revisions(_WELL_WITHIN))
        self._gauges.workers.set(well)
        return well

    async def _metrics(self, _request: Request) -> Response:
        self._well()
        self._gauges.leader.set(self._leader.leads)
        return Response(self._gauges.exposition(), media_type=metrics.CONTENT_TYPE)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the process."""

    def capture_signals(self):  # type: ignore[no-untyped-def]
        from contextlib import nullcontext

        return nullcontext()


def _context(serving: Serving) -> ssl.SSLContext:
    """How our own certificate is checked on loopback: by our CA, or not at all where it is somebody else's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # Whatever we listen on, it is us if the CA is ours.
    if serving.files:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(serving.state / "ca.crt")
    return context


def _own_address(serving: Serving) -> str:
    host = serving.listen.host
    host = "localhost" if host in ("::", "0.0.0.0") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"https://{host}:{serving.listen.port}"


def _names(serving: Serving) -> Iterator[str]:
    """What the certificate has to say: the service's names in a cluster, and where else callers go."""
    service, namespace = serving.service, serving.policy.own_namespace
    if serving.in_cluster:
        yield from (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local")
    yield from serving.host_names
    if not serving.in_cluster:
        yield from ("localhost", "127.0.0.1", "::1")
