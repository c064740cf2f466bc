"""`casemate prove`: what is wrong with its input is said before anything is proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from casemate.cli.main import run_command

NOBODY = ["--engine", "nobody-has-this"]


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "key.pem"
    file.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sign", "{}/none"], "{}/none: cannot be read: No such file or directory\n  → check the path\n"),
        (["--sign", "{}"], "{}: cannot be read: Is a directory\n  → check the path\n"),
        (["--sign", "/dev/null"], "/dev/null: no private key in PEM for signatures, without a password\n"),
        (["--statement", "x"], "--statement without --sign\n"),
        (["--sign", "{}/key.pem", "--statement", "{}"], "{}: is a folder\n"),
        (["--sign", "{}/key.pem", "--statement", "{}/no/x"], "{}/no/x: its folder is not there\n  → mkdir -p {}/no\n"),
        (["--all", "--runtime", "runc"], "--all and --node take no names\n"),
    ],
)
@pytest.mark.usefixtures("key")
def test_what_would_spoil_the_proofs_is_said_before_they_are_made(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["prove", *NOBODY, *(each.format(tmp_path) for each in arguments)]) == 2
    assert capsys.readouterr().err.startswith(f"casemate: {said.replace('{}', str(tmp_path))}")
