"""What an assessment was asked to look at, and did not find, is said."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from casemate.cli.main import run_command
from casemate.model.boundary import Boundary
from casemate.model.proof import Proof, Result
from casemate.prove import statement

POLICY = """apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec: {match: {namespaces: {names: [team-a, team-b]}}, default: %s, permitted: [gvisor, wasm, runc]}
"""
POD = """apiVersion: v1
kind: Pod
metadata: {name: p, namespace: %s}
spec: {containers: [{name: c, image: "x:1"}]}
"""
NODE = """---
apiVersion: v1
kind: Node
metadata: {name: worker-1}
"""
DAY = 86_400


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY % "gvisor")
    (tmp_path / "pod.yaml").write_text(POD % "team-a" + NODE)
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return tmp_path


@pytest.mark.parametrize("command", ["assess", "policy impact --policy policy.yaml", "explain p"])
def test_a_namespace_without_workloads_is_named(command: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command([*command.split(), "-n", "taem-a", "-n", "team-a", str(here / "pod.yaml")])
    assert "casemate: no workload is in namespace taem-a\n" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_an_option_of_assessments_is_none_of_impacts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["policy", "impact", "--policy", "policy.yaml", "--exceptions", "e.yaml", "pod.yaml"]) == 2
    assert capsys.readouterr().err.startswith("casemate: --exceptions: unknown option\n")


@pytest.mark.usefixtures("here")
def test_a_cost_that_is_not_known_is_not_called_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["policy", "impact", "--policy", "policy.yaml", "pod.yaml"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("MiB, CPU not known; not all is known of 1 of 1")
    assert run_command(["policy", "impact", "--policy", "policy.yaml", "pod.yaml", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["more"]["cpu"] is None


def proof(node: str, age: float) -> Proof:
    return Proof(
        subject="handler/runc",
        node=node,
        handler="runc",
        named=Boundary.SHARED,
        shown=Boundary.SHARED,
        result=Result.PROVEN,
        observations=(),
        seconds=0.1,
        time=time.time() - age,
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (proof("worker-1", DAY + 60), "casemate: proofs that count for nothing: of worker-1: more than a day old\n"),
        (proof("other", 60), "casemate: proofs that count for nothing: of other: none of the nodes that were read\n"),
        (proof("worker-1", 60), ""),
    ],
)
def test_proofs_that_count_for_nothing_are_named(
    made: Proof, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "proofs").write_bytes(statement.sign([made], here / "key"))
    run_command(["assess", "pod.yaml", "--proofs", "proofs", "--proofs-key", "pub"])
    assert capsys.readouterr().err == said
