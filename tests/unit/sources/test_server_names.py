"""A cluster whose certificate has another name than its address: `tls-server-name` of the kubeconfig."""

from __future__ import annotations

import asyncio
import datetime
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("httpx")
pytest.importorskip("cryptography")

from casemate.admission.certificates import Wanted, make_ca, make_leaf
from casemate.admission.kube import Kube, Unreached
from casemate.errors import IncompleteError
from casemate.node.cluster import Cluster
from casemate.sources.cluster_access import access
from casemate.sources.cluster_client import Client

INSIDE = Wanted(("inside.test",), datetime.timedelta(days=1))


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


class Passing(Answering):
    """A proxy that connects its caller with any address."""

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while ready := select.select(list(ends), [], [])[0]:
                data = ready[0].recv(65536)
                if not data:
                    return
                ends[ready[0]].sendall(data)


def serving(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy() -> Iterator[int]:
    yield from serving(Passing)


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[int]:
    ca = make_ca(INSIDE, datetime.datetime.now(datetime.UTC))
    leaf = make_leaf(ca, INSIDE, datetime.datetime.now(datetime.UTC))
    (tmp_path / "ca.crt").write_bytes(ca.certificate)
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate + leaf.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")
    yield from serving(Answering, context)


def kubeconfig(folder: Path, port: int, **more: str) -> str:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "ca.crt", **more}
    config = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
    }
    (folder / "config").write_text(json.dumps(config))
    return str(folder / "config")


def read(config: str) -> None:
    with Client(access(config), 5) as client:
        client.check()


def prepare(config: str) -> None:
    with Cluster(access(config), "node") as cluster:
        cluster.get("/version")


def watch(config: str) -> None:
    async def ask() -> None:
        kube = Kube(config)
        try:
            await kube.get("/version")
        finally:
            await kube.close()

    asyncio.run(ask())


CALLERS = pytest.mark.parametrize("call", [read, prepare, watch])


@CALLERS
def test_the_certificate_is_checked_for_the_name_that_the_kubeconfig_gives(
    call: Callable[[str], None], inside: int, tmp_path: Path
) -> None:
    call(kubeconfig(tmp_path, inside, **{"tls-server-name": "inside.test"}))


@CALLERS
def test_it_is_so_behind_a_proxy(call: Callable[[str], None], inside: int, proxy: int, tmp_path: Path) -> None:
    through = {"tls-server-name": "inside.test", "proxy-url": f"http://127.0.0.1:{proxy}"}
    call(kubeconfig(tmp_path, inside, **through))


@CALLERS
@pytest.mark.parametrize("names", [{}, {"tls-server-name": "outside.test"}], ids=["the address", "another"])
def test_a_certificate_for_another_name_is_refused(
    call: Callable[[str], None], inside: int, tmp_path: Path, names: dict[str, str]
) -> None:
    with pytest.raises((IncompleteError, Unreached), match="CERTIFICATE_VERIFY_FAILED"):
        call(kubeconfig(tmp_path, inside, **names))
