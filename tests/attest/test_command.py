"""`casemate prove attestation`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import vectors

from casemate.cli.prove_attestation import attestation
from casemate.errors import InputError
from casemate.prove.attest import chain, tdx


@pytest.fixture
def files(tmp_path: Path) -> Path:
    from cryptography.hazmat.primitives.serialization import Encoding

    quote = vectors.tdx()
    (tmp_path / "quote").write_bytes(quote)
    (tmp_path / "root.pem").write_bytes(chain.read(tdx.parse(quote).pck, "quote")[-1].public_bytes(Encoding.PEM))
    return tmp_path


def test_it_says_what_holds_and_what_is_not_claimed(files: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert attestation(files / "quote", root=[files / "root.pem"], output="json") == 1
    said = json.loads(capsysbinary.readouterr().out)
    assert (said["kind"], said["technology"], said["verified"]) == ("Attestation", "tdx", False)
    assert {each["id"]: each["passed"] for each in said["checks"]}["measurement"] is None


def test_it_ends_well_when_everything_was_given_and_holds(files: Path) -> None:
    said = tdx.parse((files / "quote").read_bytes())
    done = attestation(
        files / "quote",
        root=[files / "root.pem"],
        report_data=said.data.hex(),
        measurement=said.measurement.hex(),
        tcb=["tee-00=3"],
    )
    assert done == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"report_data": "xyz"}, "hex"),
        ({"measurement": "abc"}, "hex"),
        ({"tcb": ["snp"]}, "lowest version"),
        ({"root": [Path("/nowhere")]}, "No such file"),
        ({"root": [Path("/etc/hostname")]}, "no certificates"),
    ],
)
def test_bad_options_are_named(files: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        attestation(files / "quote", **({"root": [files / "root.pem"]} | options))  # type: ignore[arg-type]
