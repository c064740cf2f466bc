"""An API server that answers every list with the bytes of a fuzz round."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Server(ThreadingHTTPServer):
    """An API server whose every list is the same bytes, once."""

    body = b""
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Head and body in one packet: two would wait for each other.

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        over = "continue=" in self.path or self.path == "/version"
        body = b'{"items": []}' if over else self.server.body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@cache
def api_server() -> tuple[_Server, Path]:
    """The server, and a kubeconfig that leads to it."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "it", "user": {}}],
    }
    file = Path(tempfile.mkdtemp(prefix="casemate-fuzz-"), "config")
    file.write_text(json.dumps(config))
    return server, file
