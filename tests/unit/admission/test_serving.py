"""`casemate admit` on one machine, with policies from files: the real command, over HTTPS."""

from __future__ import annotations

import datetime
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client.parser import text_string_to_metric_families

from casemate.admission.certificates import Pair, Wanted, make_ca

POLICY = """
apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec:
  match: {namespaces: {labels: {tenancy: shared}}}
  default: gvisor
  permitted: [%s]
---
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {tenancy: shared}}
"""

Object = dict[str, Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:g} s for {what}")


@dataclass
class Served:
    """A running webhook."""

    folder: Path
    port: int
    health: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self) -> httpx.Client:
        return httpx.Client(verify=ssl.create_default_context(cafile=self.folder / "state" / "ca.crt"), trust_env=False)

    def post(self, path: str, content: bytes) -> httpx.Response:
        with self.client() as client:
            return client.post(f"{self.address}{path}", content=content)

    def allows(self, runtime_class: str) -> bool:
        answer = self.post("/validate", review(runtimeClassName=runtime_class)).json()
        return bool(answer["response"]["allowed"])

    def health_of(self, path: str) -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{self.health}{path}", trust_env=False).text
        except httpx.HTTPError as error:
            return str(error)


def started(folder: Path, *arguments: str) -> Served:
    (folder / "policy.yaml").write_text(POLICY % "gvisor")
    port, health = free_port(), free_port()
    command = [
        *(str(Path(sys.executable).with_name("casemate")), "admit", f"--policy={folder}/policy.yaml"),
        *(f"--listen=127.0.0.1:{port}", f"--health=127.0.0.1:{health}", f"--state={folder}/state"),
        *("--drain=0.5", "--probe-every=1", *arguments),
    ]
    with (folder / "log").open("wb") as log:
        found = Served(folder, port, health, subprocess.Popen(command, stdout=log, stderr=log))
    wait_for(lambda: found.health_of("/readyz") == "ready", "readiness")
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = started(tmp_path_factory.mktemp("served"))
    yield found
    found.process.send_signal(signal.SIGTERM)
    assert found.process.wait(20) == 0


def review(namespace: str = "team-a", **spec: object) -> bytes:
    containers = [{"name": "main", "image": "registry.test/web:1"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers} | spec}
    request = {
        "uid": "u",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": namespace,
        "object": pod,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def test_it_changes_and_refuses(served: Served) -> None:
    assert served.post("/mutate", review()).json()["response"]["patchType"] == "JSONPatch"
    assert served.allows("gvisor")
    assert not served.allows("runc")


def test_a_namespace_that_files_do_not_name_is_denied_where_labels_count(served: Served) -> None:
    answer = served.post("/validate", review("team-z", runtimeClassName="gvisor")).json()["response"]
    assert "namespace-unknown" in answer["status"]["message"]


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"{}", 400), (b"x" * ((16 << 20) + 1), 413)])
def test_what_is_no_review_is_refused(served: Served, content: bytes, status: int) -> None:
    assert served.post("/validate", content).status_code == status


def test_only_post_is_answered(served: Served) -> None:
    with served.client() as client:
        assert client.get(f"{served.address}/validate").status_code == 405
        assert client.get(f"{served.address}/other").status_code == 404


def test_a_review_of_several_megabytes_is_judged(served: Served) -> None:
    variables = [{"name": f"V{number}", "value": "x" * 1000} for number in range(3_100)]
    containers = [{"name": "main", "image": "registry.test/web:1", "env": variables}]
    for runtime_class, allowed in (("gvisor", True), ("runc", False)):
        large = review(runtimeClassName=runtime_class, containers=containers)
        assert len(large) > 3 << 20
        assert served.post("/validate", large).json()["response"]["allowed"] is allowed


@pytest.mark.parametrize(
    "many",
    [
        {"tolerations": [{"key": str(number)} for number in range(60_000)]},
        {"nodeSelector": {str(number): "x" for number in range(60_000)}},
        {"volumes": [{"name": str(number), "hostPath": {"path": "/"}} for number in range(30_000)]},
        {"containers": [{"name": str(number), "image": "a"} for number in range(30_000)]},
    ],
    ids=lambda many: next(iter(many)),
)
def test_an_object_of_too_many_entries_is_denied_at_once(served: Served, many: Object) -> None:
    began = time.monotonic()
    answer = served.post("/validate", review(**{"runtimeClassName": "gvisor", **many})).json()["response"]
    assert not answer["allowed"]
    assert "entries" in answer["status"]["message"]
    assert time.monotonic() - began < 3


def test_a_body_without_a_length_is_bounded_too(served: Served) -> None:
    chunks = (b"x" * (1 << 20) for _ in range(17))
    with served.client() as client:
        assert client.post(f"{served.address}/validate", content=chunks).status_code == 413


def test_it_asks_itself_for_what_must_be_denied(served: Served) -> None:
    wanted = 'casemate_policy_bites{policy="tenants",rule="class-not-permitted"} 1.0'
    wait_for(lambda: wanted in served.health_of("/metrics"), "a probe")


def test_every_number_is_told_once(served: Served) -> None:
    """A gauge that lay in a file as well would stay there: a policy that is gone would bite for ever."""
    wait_for(lambda: "casemate_policy_bites{" in served.health_of("/metrics"), "a probe")
    families = list(text_string_to_metric_families(served.health_of("/metrics")))
    samples = [(each.name, tuple(sorted(each.labels.items()))) for family in families for each in family.samples]
    assert len({each.name for each in families}) == len(families)
    assert len(set(samples)) == len(samples)
    assert not [each for each in samples if "pid" in dict(each[1])]


def test_a_policy_that_changes_is_in_force_and_a_broken_one_changes_nothing(served: Served) -> None:
    file = served.folder / "policy.yaml"
    file.write_text(POLICY % "gvisor, kata")
    wait_for(lambda: served.allows("kata"), "the new policy")
    file.write_text("kind: IsolationPolicy\nspec: [")
    wait_for(lambda: "keeping the policies" in (served.folder / "log").read_text(), "the mistake to be told")
    assert served.allows("kata")
    file.write_text(POLICY % "gvisor")
    wait_for(lambda: not served.allows("kata"), "the old policy")


def test_a_body_that_does_not_arrive_is_refused_and_its_caller_let_go(served: Served) -> None:
    context = ssl.create_default_context(cafile=served.folder / "state" / "ca.crt")
    with socket.create_connection(("localhost", served.port)) as plain:
        plain.settimeout(60)
        with context.wrap_socket(plain, server_hostname="localhost") as caller:
            caller.sendall(b"POST /validate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            answer = b"".join(iter(lambda: caller.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 10 s" in answer
    assert served.allows("gvisor")


def test_the_key_is_nobody_else_s_to_read(served: Served) -> None:
    state = served.folder / "state"
    assert state.stat().st_mode & 0o077 == 0
    assert (state / "material").stat().st_mode & 0o077 == 0


def pair(folder: Path, name: str, ca: Pair) -> Path:
    """A client's certificate with that common name, signed by the CA."""
    key, signer = ec.generate_private_key(ec.SECP256R1()), x509.load_pem_x509_certificate(ca.certificate)
    signing = serialization.load_pem_private_key(ca.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        signer.subject,
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        key.public_key(),
        x509.random_serial_number(),
        now - datetime.timedelta(minutes=1),
        now + datetime.timedelta(hours=1),
    )
    file = folder / f"{name}-{signer.serial_number}"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(builder.sign(signing, hashes.SHA256()).public_bytes(pem) + private)
    return file


def test_only_callers_of_the_ca_with_the_name_are_answered(tmp_path: Path) -> None:
    wanted, now = Wanted(("kube-apiserver",), datetime.timedelta(days=1)), datetime.datetime.now(datetime.UTC)
    ca = make_ca(wanted, now)
    (tmp_path / "callers.crt").write_bytes(ca.certificate)
    right, other = pair(tmp_path, "kube-apiserver", ca), pair(tmp_path, "somebody", ca)
    stranger = pair(tmp_path, "kube-apiserver", make_ca(wanted, now))
    found = started(tmp_path, f"--client-ca={tmp_path}/callers.crt", "--client-name=kube-apiserver")
    try:
        answers = {}
        for name, file in (("right", right), ("other", other), ("stranger", stranger), ("none", None)):
            context = ssl.create_default_context(cafile=tmp_path / "state" / "ca.crt")
            if file:
                context.load_cert_chain(file)
            with httpx.Client(verify=context, trust_env=False) as client:
                try:
                    answers[name] = client.post(f"{found.address}/mutate", content=review()).status_code
                except httpx.TransportError:
                    answers[name] = 0
        assert answers == {"right": 200, "other": 0, "stranger": 0, "none": 0}
    finally:
        found.process.terminate()
        assert found.process.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--client-name=x"], "--client-ca"),
        (["--tls-cert=x.crt"], "--tls-key"),
        (["--tls-cert=/nowhere.crt", "--tls-key=/nowhere.key"], "/nowhere.crt"),
        (["--listen=8443"], "HOST:PORT"),
        (["--policy=/nowhere.yaml"], "/nowhere.yaml"),
        (["--workers=0"], "one at least"),
    ],
)
def test_a_mistake_is_told_before_anything_is_served(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY % "gvisor")
    command = [str(Path(sys.executable).with_name("casemate")), "admit", f"--policy={tmp_path}/policy.yaml", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
