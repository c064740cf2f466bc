"""A real kube-apiserver on etcd, on loopback unless it is told another address."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import kubernetes
import yaml

_ADMIN = "admin-token"
_LOOPBACK = "127.0.0.1"
_TOKENS = """{admin},admin,1,"system:masters"
reader-token,reader,2
nobody-token,nobody,3
proof-reader-token,proof-reader,4
"""
WITHOUT = "ServiceAccount,RuntimeClass"
"""Admission plugins that would ask for objects which a test about something else does not make."""

_PATIENCE = 60.0


@dataclass(frozen=True)
class Cluster:
    """A running API server with its files, and the token of its administrator."""

    folder: Path
    port: int
    address: str = _LOOPBACK
    admin: str = _ADMIN

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "certificates" / "apiserver.crt"

    def client(self, token: str = "") -> httpx.Client:
        verify = ssl.create_default_context(cafile=str(self.ca))
        headers = {"Authorization": f"Bearer {token or self.admin}"}
        return httpx.Client(base_url=self.server, verify=verify, headers=headers, trust_env=False, timeout=30)

    def apply(self, path: str, *bodies: dict[str, object]) -> None:
        with self.client() as client:
            for body in bodies:
                answer = client.post(path, json=body)
                assert answer.status_code in (201, 409), answer.text

    def kubeconfig(self, name: str = "reader", **user: object) -> str:
        """A kubeconfig for the user of that token, or with these fields of a user instead."""
        token = self.admin if name == "admin" else f"{name}-token"
        authority = base64.b64encode(self.ca.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority-data": authority}}],
            "users": [{"name": "test", "user": user or {"token": token}}],
        }
        file = self.folder / f"kubeconfig-{name}-{len(list(self.folder.iterdir()))}"
        file.write_text(yaml.safe_dump(config))
        return str(file)


class Running:
    """Starts both processes and ends them. `flags` are further ones of the API server.

    An address that others reach wants a token for its administrator that nobody guesses.
    """

    def __init__(self, folder: Path, *flags: str, address: str = _LOOPBACK, admin: str = _ADMIN) -> None:
        self.folder = folder
        self._address = address
        self._admin = admin
        self._flags = flags or (f"--disable-admission-plugins={WITHOUT}",)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._etcd = 0

    def __enter__(self) -> Cluster:
        etcd, peer, port = free_port(), free_port(), free_port()
        self._etcd = etcd
        self._start("etcd", *_etcd(self.folder, etcd, peer))
        _sign(self.folder, self._admin)
        self._start("kube-apiserver", *_server(self.folder, etcd, port, self._address), *self._flags)
        return self._ready(port)

    def beside(self, *flags: str) -> Cluster:
        """One more API server on the same etcd, with other flags."""
        port = free_port()
        self._start("kube-apiserver-beside", *_server(self.folder, self._etcd, port, self._address), *flags)
        return self._ready(port)

    def _ready(self, port: int) -> Cluster:
        cluster = Cluster(self.folder, port, self._address, self._admin)
        self._wait(cluster)
        return cluster

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(["nice", "-n", "10", *command], stdout=log, stderr=log))

    def _wait(self, cluster: Cluster) -> None:
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            assert all(each.poll() is None for each in self._processes), self._logs()
            try:
                with cluster.client() as client:
                    if client.get("/readyz").is_success:
                        return
            except (OSError, httpx.HTTPError):
                pass
            time.sleep(0.3)
        self.__exit__()
        raise AssertionError(self._logs())

    def _logs(self) -> str:
        return "\n".join(each.read_text()[-3000:] for each in self.folder.glob("*.log"))


def _etcd(folder: Path, port: int, peer: int) -> tuple[str, ...]:
    client, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return (
        "etcd",
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--quota-backend-bytes=4294967296",
    )


def _sign(folder: Path, admin: str) -> None:
    """A key for service accounts, and a CA with the certificate of a user `reader`."""
    (folder / "tokens.csv").write_text(_TOKENS.format(admin=admin))
    for command in (
        "openssl genrsa -out accounts.key 2048",
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=clients -keyout clients.key -out clients.crt",
        "openssl req -newkey rsa:2048 -nodes -subj /CN=reader -keyout reader.key -out reader.csr",
        "openssl x509 -req -days 2 -in reader.csr -CA clients.crt -CAkey clients.key -CAcreateserial -out reader.crt",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def _server(folder: Path, etcd: int, port: int, address: str) -> tuple[str, ...]:
    return (
        str(kubernetes.binary()),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        f"--cert-dir={folder}/certificates",
        f"--token-auth-file={folder}/tokens.csv",
        f"--client-ca-file={folder}/clients.crt",
        f"--service-account-key-file={folder}/accounts.key",
        f"--service-account-signing-key-file={folder}/accounts.key",
        "--service-account-issuer=https://casemate.test",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--profiling=false",
    )


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
