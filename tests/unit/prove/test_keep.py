"""Kept proofs: how long they stand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from casemate.model.assessment import State
from casemate.model.boundary import Boundary
from casemate.model.proof import Program, Proof, Proven, Result
from casemate.model.status import Phase, PodStatus
from casemate.prove import keep
from casemate.prove.node_kernel import boot_id

POD = PodStatus(
    name="p",
    namespace="d",
    uid="u",
    handler="runsc",
    declared_boundary=Boundary.SANDBOX,
    boundary=Boundary.SANDBOX,
    phase=Phase.RUNNING,
)


def proof(program: Path, result: Result = Result.PROVEN) -> Proof:
    return Proof(
        subject="handler/runsc",
        node="n",
        handler="runsc",
        named=Boundary.SANDBOX,
        shown=Boundary.SANDBOX,
        result=result,
        observations=(),
        seconds=0.5,
        time=100.0,
        programs=(Program(role="runtime", path=str(program), digest="sha256:x"),),
        boot=boot_id(),
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "runsc"
    file.write_bytes(b"one")
    return file


def test_a_proof_stands_while_nothing_changed(tmp_path: Path, program: Path) -> None:
    keep.keep(tmp_path / "proofs.json", [proof(program)], [program])
    assert keep.proven(tmp_path / "proofs.json").handlers == {"runsc": (Boundary.SANDBOX, 100.0)}


def test_a_file_that_was_written_anew_with_the_same_bytes_is_the_same(tmp_path: Path, program: Path) -> None:
    keep.keep(tmp_path / "proofs.json", [proof(program)], [])
    program.unlink()
    program.write_bytes(b"one")
    assert keep.proven(tmp_path / "proofs.json").handlers


@pytest.mark.parametrize("change", [lambda file: file.write_bytes(b"two"), Path.unlink])
def test_a_changed_program_makes_a_proof_stale(tmp_path: Path, program: Path, change) -> None:  # type: ignore[no-untyped-def]
    keep.keep(tmp_path / "proofs.json", [proof(program)], [])
    change(program)
    assert not keep.proven(tmp_path / "proofs.json").handlers
    assert list(keep.changed(keep.load(tmp_path / "proofs.json")[0])) == [str(program)]


@pytest.mark.parametrize("boot", ["", "5d8ff6a4-0f52-4b1c-8c3a-0b9f6b7a2d11"])
def test_a_proof_of_another_boot_of_the_node_does_not_stand(tmp_path: Path, program: Path, boot: str) -> None:
    made = keep.Kept(replace(proof(program), boot=boot), ())
    (tmp_path / "proofs.json").write_bytes(msgspec.json.encode((made,)))
    assert not keep.proven(tmp_path / "proofs.json").handlers


def test_a_changed_configuration_makes_a_proof_stale(tmp_path: Path, program: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("a = 1")
    keep.keep(tmp_path / "proofs.json", [proof(program)], [config])
    config.write_text("a = 2")
    assert not keep.proven(tmp_path / "proofs.json").handlers


def test_what_is_no_longer_proven_is_no_longer_kept(tmp_path: Path, program: Path) -> None:
    keep.keep(tmp_path / "proofs.json", [proof(program)], [])
    keep.keep(tmp_path / "proofs.json", [proof(program, Result.WEAKER)], [])
    assert keep.load(tmp_path / "proofs.json") == ()


def test_a_file_of_another_version_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "proofs.json").write_text('[{"what": 1}]')
    assert keep.proven(tmp_path / "proofs.json") == Proven()


STATES = [
    # proven, the Pod, when it was made
    (Proven({"runsc": (Boundary.SANDBOX, 100.0)}), POD, 200.0, State.PROVEN),
    (Proven({"runsc": (Boundary.SANDBOX, 100.0)}), POD, 50.0, State.RESOLVED),
    (Proven({"runc": (Boundary.SHARED, 100.0)}), POD, 200.0, State.RESOLVED),
    (Proven({"runsc": (Boundary.HARDENED, 100.0)}), POD, 200.0, State.RESOLVED),
    (Proven(pods={"u": Boundary.SANDBOX}), POD, 50.0, State.PROVEN),
    (Proven(pods={"v": Boundary.SANDBOX}), POD, 50.0, State.RESOLVED),
    (Proven(pods={"u": Boundary.SHARED}), POD, 50.0, State.RESOLVED),
    (Proven(pods={"u": Boundary.UNKNOWN}), replace(POD, boundary=Boundary.UNKNOWN), 50.0, State.RESOLVED),
]


@pytest.mark.parametrize(("proven", "pod", "created", "state"), STATES)
def test_a_pod_is_proven_by_its_own_proof_or_by_an_older_one_of_its_handler(
    proven: Proven, pod: PodStatus, created: float, state: State
) -> None:
    assert proven.state(pod, created) is state
