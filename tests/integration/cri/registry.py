"""Registries on the loopback: distribution's, built from its Go module, and one that lies."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from casemate.engine.paths import CACHE
from casemate.images import layout
from casemate.images.reference import parse

VERSION = "v3.1.2"
USER, PASSWORD = "puller", "correct horse"
# bcrypt of PASSWORD; distribution knows no other kind of hash.
HTPASSWD = "puller:$2b$05$tzu6ymT5Io7Juki4yfD2cO/KoznOhkmtml0ROIcCZDMIJ/1hDWA5K\n"


def binary() -> Path:
    """The registry's program, built once per machine."""
    program = CACHE / "registry" / VERSION / "registry"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            module = f"github.com/distribution/distribution/v3/cmd/registry@{VERSION}"
            environment = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
            subprocess.run(["go", "install", module], env=environment, check=True, capture_output=True)
            Path(folder, "registry").replace(program)
    return program


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A registry that wants USER and PASSWORD; yields its host:port."""
    port = _free_port()
    (folder / "htpasswd").write_text(HTPASSWD)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nauth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([binary(), "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str) -> None:
    for _ in range(100):
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no answer from {url}")


def push(registry: str, repository: str, tag: str, archive: Path) -> str:
    """Push the image in that layout; its digest."""
    image = layout.read(archive)
    with httpx.Client(base_url=f"http://{registry}/v2/{repository}/", auth=(USER, PASSWORD), timeout=30) as client:
        _push_blob(client, image.id, image.documents.config)
        for layer, stream in image.open_layers():
            _push_blob(client, layer.digest, stream.read(layer.size))
        kind = {"Content-Type": image.documents.media_type}
        client.put(f"manifests/{tag}", content=image.documents.manifest, headers=kind).raise_for_status()
    return image.digest


def _push_blob(client: httpx.Client, digest: str, content: bytes) -> None:
    place = client.post("blobs/uploads/").raise_for_status().headers["Location"]
    client.put(place, params={**httpx.URL(place).params, "digest": digest}, content=content).raise_for_status()


class Liar:
    """A registry whose one image, `app:1`, is not what it says. `lie` maps a path and the true body to the wrong body.

    A body shorter than the true one is announced in full and then cut.
    """

    def __init__(self, archive: Path, lie: Callable[[str, bytes], bytes], *, announce_truth: bool = True) -> None:
        image = layout.read(archive)
        self.name = parse("app:1")
        self.manifest, self.digest, self.kind = image.documents.manifest, image.digest, image.documents.media_type
        self.bodies = {f"/v2/app/blobs/{image.id}": image.documents.config}
        for layer, stream in image.open_layers():
            self.bodies[f"/v2/app/blobs/{layer.digest}"] = stream.read(layer.size)
        self.bodies |= {f"/v2/app/manifests/{name}": self.manifest for name in ("1", self.digest)}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(lie, announce_truth))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.server.server_port}/app:1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _handler(self, lie: Callable[[str, bytes], bytes], announce_truth: bool) -> type:
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                truth = liar.bodies.get(self.path.partition("?")[0], b"{}")
                body = lie(self.path, truth)
                self.send_response(200)
                self.send_header("Content-Length", str(len(truth if announce_truth else body)))
                kind = liar.kind if "/manifests/" in self.path else "application/octet-stream"
                self.send_header("Content-Type", kind)
                if "/manifests/" in self.path:
                    self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(truth).hexdigest()}")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                self.close_connection = True

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def docker_config(registry: str, username: str = USER, password: str = PASSWORD) -> str:
    """What `kubectl create secret docker-registry` puts into a Secret."""
    return msgspec.json.encode({"auths": {registry: {"username": username, "password": password}}}).decode()
